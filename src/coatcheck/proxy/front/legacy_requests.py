"""Requests of the 2025 revisions without a session: whichever replica gets one greets the upstream by itself."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import DEFAULT_NEGOTIATED_VERSION, INVALID_REQUEST, PARSE_ERROR
from starlette.requests import Request

from coatcheck import __version__
from coatcheck.calls.interceptor import Interceptor
from coatcheck.errors import CoatcheckError, UpstreamError
from coatcheck.proxy.front.http_requests import Requests
from coatcheck.proxy.front.shared_upstream import Lane, SharedLink
from coatcheck.proxy.jsonrpc import (
    METHOD_NOT_FOUND,
    SESSION_VERSIONS,
    Message,
    error_response,
    id_of,
    is_request,
    parse,
    to_line,
)
from coatcheck.proxy.upstreams.base import Link
from coatcheck.store.tenancy import Scopes

GREETING = "initialize"
GREETING_SECONDS = 20.0
"""Seconds that a request waits for an upstream that starts."""

_WHY = "this server runs without sessions (--stateless) and can send a client nothing but the answer to its request"
_OF_SESSIONS = frozenset({"resources/subscribe", "resources/unsubscribe", "logging/setLevel"})
_CAPABILITIES_OF_SESSIONS = frozenset({"logging", "tasks"})
_PROMISES_OF_SESSIONS = frozenset({"listChanged", "subscribe"})


class GreetedLink(SharedLink):
    """A link that many requests of a 2025 revision share; each upstream is greeted once, in our own name.

    It is told that its client has no capabilities, for that is so: nobody could answer what it asks.

    Args:
        make_link: Gives a new link to the upstream.
        version: The revision that is asked for.
    """

    def __init__(self, make_link: Callable[[], Link], version: str) -> None:
        super().__init__(make_link)
        self._version = version
        self._greeting: asyncio.Task[Message] | None = None
        self._answer: Message = {}

    async def refusal(self, request: Message) -> Message | None:
        """Greet the upstream, if nobody did; give what it answers instead of a welcome.

        Raises:
            UpstreamError: The upstream cannot be started, or is slow to start.
        """
        if self._greeting is None or (self._greeting.done() and not self._answer):
            link = self._started()
            self._greeting = asyncio.ensure_future(self._greet(link))
        try:
            said = await asyncio.wait_for(asyncio.shield(self._greeting), GREETING_SECONDS)
        except TimeoutError:
            raise UpstreamError(f"The server did not answer within {GREETING_SECONDS:g} s; try again.") from None
        return None if "result" in said else {**said, "id": request["id"]}

    async def _greet(self, link: Link) -> Message:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        broken = error_response(None, "The server's greeting is no JSON.")
        lane = self.lane(lambda line: None if answer.done() else answer.set_result(parse(line) or broken))
        us = {"name": "coatcheck", "version": __version__}
        params = {"protocolVersion": self._version, "capabilities": {}, "clientInfo": us}
        super().send(lane, {"jsonrpc": "2.0", "id": 0, "method": GREETING, "params": params})
        said = await answer
        if isinstance(said.get("result"), dict) and self._link is link:
            link.send(to_line({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            self._answer = {**said, "result": _without_promises(said["result"])}
        return said

    @property
    def version(self) -> str:
        """The revision that upstream and we agreed on; the one that is asked for while they have not."""
        agreed = self._answer.get("result", {}).get("protocolVersion")
        return agreed if isinstance(agreed, str) else self._version

    def send(self, lane: Lane, message: Message) -> None:
        """Send a message upstream for a request; a client's greeting is answered as ours was."""
        if not self._answer:
            # It went away after the request was let in; a new one is greeted before the next.
            if id_of(message) is not None:
                lane.take(to_line(error_response(message["id"], "The server went away; try again.")))
        elif message.get("method") == GREETING:
            lane.take(to_line({**self._answer, "id": message["id"]}))
        else:
            super().send(lane, message)

    def _ended(self, link: Link, text: str) -> None:
        if self._link is link:
            self._answer = {}
        super()._ended(link, text)

    def _reply(self, question: Message) -> Message:
        if question["method"] == "ping":
            return {"jsonrpc": "2.0", "id": question["id"], "result": {}}
        return error_response(question["id"], f"The client cannot be asked: {_WHY}.", METHOD_NOT_FOUND)


class GreetedRequests(Requests):
    """Answers requests of the 2025 revisions, each by itself.

    Args:
        make_link: Gives a new link to the upstream; called once for each revision that clients speak.
        interceptor: What is done with lists, arguments and results.
        scopes: Where the store asks for the namespace.
        security: Which host and origin headers are accepted.
        loopback: Whether only this machine can connect.
    """

    # Clients of these revisions take an error's status for one of the transport: 404 would end a session.
    own_statuses: Mapping[int, int] = {PARSE_ERROR: 400, INVALID_REQUEST: 400}

    def __init__(
        self,
        make_link: Callable[[], Link],
        interceptor: Interceptor,
        scopes: Scopes,
        security: TransportSecuritySettings,
        *,
        loopback: bool,
    ) -> None:
        super().__init__(interceptor, scopes, security, loopback=loopback)
        self._make_link = make_link
        self._links: dict[str, GreetedLink] = {}

    async def close(self) -> None:
        """Close the upstreams."""
        for link in set(self._links.values()):
            await link.close()

    def _shared_by(self, message: Message, request: Request) -> GreetedLink:
        version = _version_of(message, request)
        if version not in self._links:
            self._links[version] = GreetedLink(self._make_link, version)
        return self._links[version]

    async def _judged(self, message: Any, request: Request) -> Message | None:
        if message is None:
            return error_response(None, "Parse error", PARSE_ERROR)
        if isinstance(message, dict) and "id" not in message and isinstance(message.get("method"), str):
            # That a client is ready concerns nobody, and which request a cancellation means only a session could tell.
            return {}
        if not is_request(message) or id_of(message) is None:
            text = f"The body must be one JSON-RPC request or notification: {_WHY}."
            return error_response(None, text, INVALID_REQUEST)
        method = message["method"]
        if method in _OF_SESSIONS or method.startswith("tasks/"):
            return error_response(message["id"], f"{method} is not possible here: {_WHY}.", METHOD_NOT_FOUND)
        if isinstance(message.get("params"), dict):
            # As from a server that has no tasks: the call is carried out at once. (The message is what goes upstream.)
            message["params"].pop("task", None)
        link = self._shared_by(message, request)
        try:
            refusal = await link.refusal(message)
        except CoatcheckError as error:
            return error_response(message["id"], str(error))
        # Requests that follow name the revision that was agreed on.
        self._links.setdefault(link.version, link)
        return refusal


def _version_of(message: Message, request: Request) -> str:
    """Find the revision of a request; a client's greeting says it in the body, all others in a header."""
    if message["method"] != GREETING:
        return request.headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
    params = message.get("params")
    wanted = params.get("protocolVersion") if isinstance(params, dict) else None
    return wanted if wanted in SESSION_VERSIONS else SESSION_VERSIONS[-1]


def _without_promises(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out of an upstream's greeting what cannot be kept without a session."""
    capabilities = result.get("capabilities")
    if not isinstance(capabilities, dict):
        return result
    kept = {
        name: {key: value for key, value in each.items() if key not in _PROMISES_OF_SESSIONS}
        if isinstance(each, dict)
        else each
        for name, each in capabilities.items()
        if name not in _CAPABILITIES_OF_SESSIONS
    }
    return {**result, "capabilities": kept}
