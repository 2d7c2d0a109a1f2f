"""Requests of the 2025 revisions without a session: each replica initializes the upstream on its own."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import DEFAULT_NEGOTIATED_VERSION, INVALID_REQUEST, PARSE_ERROR
from starlette.requests import Request

from coatcheck import __version__
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.nested_coatchecks import NESTED_HEADER, announces_coatcheck, chain_of, with_announcement
from coatcheck.errors import CoatcheckError, UpstreamError
from coatcheck.proxy.front.http_requests import HttpRequests
from coatcheck.proxy.front.shared_connection import RequestStream, SharedConnection
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
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.store.tenancy import Tenancy

INITIALIZE = "initialize"
HANDSHAKE_TIMEOUT = 20.0
"""Seconds that a request waits for a starting upstream."""

_WHY = "this server runs without sessions (--stateless) and can send a client nothing but the answer to its request"
_SESSION_METHODS = frozenset({"resources/subscribe", "resources/unsubscribe", "logging/setLevel"})
_SESSION_CAPABILITIES = frozenset({"logging", "tasks"})
_SESSION_FIELDS = frozenset({"listChanged", "subscribe"})


class LegacySharedConnection(SharedConnection):
    """A connection that requests of a 2025 revision share; each upstream is initialized once, by us.

    We announce no client capabilities, because no client could answer the upstream's requests.
    """

    def __init__(self, make_connection: Callable[[], UpstreamConnection], version: str) -> None:
        super().__init__(make_connection)
        self._version = version
        self._handshake_message: asyncio.Task[Message] | None = None
        self._answer: Message = {}

    async def refusal(self, request: Message) -> Message | None:
        """Initialize the upstream on first use; return its error if it refuses.

        Raises:
            UpstreamError: The upstream cannot be started, or is slow to start.
        """
        if self._handshake_message is None or (self._handshake_message.done() and not self._answer):
            connection = self._started()
            self._handshake_message = asyncio.ensure_future(self._handshake(connection, chain_of(request)))
        try:
            response = await asyncio.wait_for(asyncio.shield(self._handshake_message), HANDSHAKE_TIMEOUT)
        except TimeoutError:
            raise UpstreamError(f"The server did not answer within {HANDSHAKE_TIMEOUT:g} s; try again.") from None
        return None if "result" in response else {**response, "id": request["id"]}

    async def _handshake(self, connection: UpstreamConnection, chain: list[str]) -> Message:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        broken = error_response(None, "The server's initialize response is not JSON.")
        stream = self.stream(lambda line: None if answer.done() else answer.set_result(parse(line) or broken))
        us = {"name": "coatcheck", "version": __version__}
        capabilities = with_announcement({}, chain)
        params = {"protocolVersion": self._version, "capabilities": capabilities, "clientInfo": us}
        super().send(stream, {"jsonrpc": "2.0", "id": 0, "method": INITIALIZE, "params": params})
        response = await answer
        if isinstance(response.get("result"), dict) and self._connection is connection:
            connection.send(to_line({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            self.server_keeps_objects = announces_coatcheck(response["result"].get("capabilities"))
            self._answer = {**response, "result": _without_session_capabilities(response["result"])}
        return response

    @property
    def version(self) -> str:
        """The negotiated revision; the requested one before negotiation."""
        agreed = self._answer.get("result", {}).get("protocolVersion")
        return agreed if isinstance(agreed, str) else self._version

    def send(self, stream: RequestStream, message: Message) -> None:
        """Send a message upstream for a request; a client's `initialize` is answered with the result of ours."""
        if not self._answer:
            # It was lost after the request was accepted; the next request initializes a new one.
            if id_of(message) is not None:
                stream.take(to_line(error_response(message["id"], "The server went away; try again.")))
        elif message.get("method") == INITIALIZE:
            stream.take(to_line({**self._answer, "id": message["id"]}))
        else:
            super().send(stream, message)

    def _ended(self, connection: UpstreamConnection, text: str) -> None:
        if self._connection is connection:
            self._answer = {}
        super()._ended(connection, text)

    def _reply(self, question: Message) -> Message:
        if question["method"] == "ping":
            return {"jsonrpc": "2.0", "id": question["id"], "result": {}}
        return error_response(question["id"], f"The client cannot be asked: {_WHY}.", METHOD_NOT_FOUND)


class LegacyRequests(HttpRequests):
    """Answers requests of the 2025 revisions, each on its own."""

    # Clients of these revisions treat an HTTP status as a transport error: 404 would end a session.
    own_statuses: Mapping[int, int] = {PARSE_ERROR: 400, INVALID_REQUEST: 400}

    def __init__(
        self,
        make_connection: Callable[[], UpstreamConnection],
        interceptor: Interceptor,
        scopes: Tenancy,
        security: TransportSecuritySettings,
        *,
        loopback: bool,
    ) -> None:
        super().__init__(interceptor, scopes, security, loopback=loopback)
        self._make_connection = make_connection
        self._connections: dict[str, LegacySharedConnection] = {}

    async def close(self) -> None:
        """Close the upstreams."""
        closing = (connection.close() for connection in set(self._connections.values()))
        await asyncio.gather(*closing, return_exceptions=True)

    def _connection_for(self, message: Message, request: Request) -> LegacySharedConnection:
        version = _version_of(message, request)
        if version not in self._connections:
            self._connections[version] = LegacySharedConnection(self._make_connection, version)
        return self._connections[version]

    def _is_from_coatcheck(self, request: Request) -> bool:
        return NESTED_HEADER in request.headers

    async def _check(self, message: Any, request: Request) -> Message | None:
        if message is None:
            return error_response(None, "Parse error", PARSE_ERROR)
        if isinstance(message, dict) and "id" not in message and isinstance(message.get("method"), str):
            # `initialized` has no receiver, and a cancellation could only be assigned to a request within a session.
            return {}
        if not is_request(message) or id_of(message) is None:
            text = f"The body must be one JSON-RPC request or notification: {_WHY}."
            return error_response(None, text, INVALID_REQUEST)
        method = message["method"]
        if method in _SESSION_METHODS or method.startswith("tasks/"):
            return error_response(message["id"], f"{method} is not possible here: {_WHY}.", METHOD_NOT_FOUND)
        if isinstance(message.get("params"), dict):
            # Like a server without tasks: the call runs immediately. (The message itself is sent upstream.)
            message["params"].pop("task", None)
        connection = self._connection_for(message, request)
        try:
            refusal = await connection.refusal(message)
        except CoatcheckError as error:
            return error_response(message["id"], str(error))
        # Later requests name the negotiated revision.
        self._connections.setdefault(connection.version, connection)
        return refusal


def _version_of(message: Message, request: Request) -> str:
    """Find the revision of a request: in the body of `initialize`, in a header of all others."""
    if message["method"] != INITIALIZE:
        return request.headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
    params = message.get("params")
    requested = params.get("protocolVersion") if isinstance(params, dict) else None
    return requested if requested in SESSION_VERSIONS else SESSION_VERSIONS[-1]


def _without_session_capabilities(result: dict[str, Any]) -> dict[str, Any]:
    """Drop the capabilities of an upstream that need a session."""
    capabilities = result.get("capabilities")
    if not isinstance(capabilities, dict):
        return result
    kept = {
        name: {key: value for key, value in each.items() if key not in _SESSION_FIELDS}
        if isinstance(each, dict)
        else each
        for name, each in capabilities.items()
        if name not in _SESSION_CAPABILITIES
    }
    return {**result, "capabilities": kept}
