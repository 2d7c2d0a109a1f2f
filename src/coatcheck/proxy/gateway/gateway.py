"""A gateway: a single server for the conversation, and a client of each upstream."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from coatcheck.calls.nested_coatchecks import announces_coatcheck
from coatcheck.codec import adump_line
from coatcheck.codec.tool_results import blocks_of, text_result, with_content
from coatcheck.errors import UpstreamError, quoted
from coatcheck.proxy.gateway.client_metadata import client_meta, without_client_meta
from coatcheck.proxy.gateway.merging import (
    LISTS,
    NOT_CACHED,
    SERVERS_TOOL,
    merged_capabilities,
    merged_instructions,
    merged_list,
    result_of,
    server_info,
    servers_text,
)
from coatcheck.proxy.gateway.names import (
    joined,
    joined_uri,
    plain_names,
    scheme_of,
    split_uri,
    with_joined_tasks,
    with_joined_uris,
    with_own_tasks,
)
from coatcheck.proxy.gateway.responses import ResponseWaiter, UpstreamResponse
from coatcheck.proxy.gateway.routing import INVALID_PARAMS, RefusedError, Routes, no_server_named
from coatcheck.proxy.gateway.server_to_client import CANCELLED, ServerRequests
from coatcheck.proxy.gateway.subscriptions import LIST_CHANGES, Subscriptions
from coatcheck.proxy.gateway.upstream import State, Upstream
from coatcheck.proxy.jsonrpc import (
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
    SERVER_INFO,
    SESSION_VERSIONS,
    UNSUPPORTED_VERSION,
    Id,
    Message,
    error_response,
    id_of,
    is_modern,
    is_response,
    meta_of,
    parse,
    request_key,
    response,
    to_line,
)
from coatcheck.proxy.pending_requests import PendingRequest
from coatcheck.proxy.upstreams.base import OnEnd, OnMessage, OnPressure, no_pressure
from coatcheck.proxy.upstreams.targets import Target, make_connection

logger = logging.getLogger(__name__)

HANDSHAKE_WAIT = 15.0
"""Seconds that the handshake waits for servers to start; slower ones are announced by a list change."""


class Gateway:
    """Several servers as one upstream.

    Raises:
        SettingsError: Two servers have indistinguishable names.
    """

    sends_separately, is_gateway, unparsed = False, True, False

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self.name = "coatcheck gateway"
        plain = plain_names(targets)
        self._upstreams = {
            plain[name]: Upstream(plain[name], partial(make_connection, target), self)
            for name, target in targets.items()
        }
        self._schemes = {scheme_of(name): upstream for name, upstream in self._upstreams.items()}
        self._work: dict[Id, asyncio.Task[None]] = {}
        self._routes = Routes(self._upstreams, self._schemes)
        self._subscriptions = Subscriptions(self._running, self._schemes, self._notify_client)
        self._is_modern = self._ready = False
        self._waited = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the servers have not read; see `UpstreamConnection`."""
        return sum(upstream.unsent_bytes for upstream in self._upstreams.values())

    @property
    def backlog_bytes(self) -> int:
        """The same without one long message for each; see `UpstreamConnection`."""
        return sum(upstream.backlog_bytes for upstream in self._upstreams.values())

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading from all servers; see `UpstreamConnection`."""
        for upstream in self._upstreams.values():
            upstream.set_paused(paused=paused)

    def start(self, on_message: OnMessage, _on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start all servers; see `UpstreamConnection`. A gateway does not end on its own."""
        self._on_message, self.on_pressure = on_message, on_pressure
        self._requests = ServerRequests(on_message)
        for upstream in self._upstreams.values():
            upstream.open()

    exit_code = 0

    def object_readers(self) -> Mapping[str, str]:
        """Return the tool prefix of each server that keeps objects itself, and the tool that reads them."""
        keeping = [upstream for upstream in self._running() if announces_coatcheck(upstream.capabilities)]
        return {joined(upstream.name, ""): joined(upstream.name, "object_store_get") for upstream in keeping}

    def listed_name(self, tool: str) -> str:
        """Return the name that a tool is listed by; see `UpstreamConnection`."""
        return self._routes.listed_name(tool)

    def stray_output(self, line: bytes) -> None:
        """Ignore the line; see `UpstreamConnection`."""

    async def finish(self) -> None:
        """Wait until all requests are answered; see `UpstreamConnection`."""
        open_work = [task for key, task in self._work.items() if key not in self._subscriptions.open]
        if open_work:
            await asyncio.wait(open_work)

    async def close(self) -> None:
        """Stop all servers; see `UpstreamConnection`."""
        for task in list(self._work.values()):
            task.cancel()
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()), return_exceptions=True)

    # From the client

    def send(self, line: bytes, message: Any = None) -> None:
        """Handle a line from the client; see `UpstreamConnection`."""
        message = parse(line) if message is None else message
        for part in message if isinstance(message, list) else [message]:
            if isinstance(part, dict):
                self._handle_message(part)

    def _handle_message(self, message: Message) -> None:
        key = request_key(message)
        if key is not None:
            task = asyncio.get_running_loop().create_task(self._serve(message, key))
            self._work[key] = task
            task.add_done_callback(lambda done: self._work.get(key) is done and self._work.pop(key))
        elif is_response(message):
            self._requests.forward_answer(message)
        elif message.get("method") == CANCELLED:
            params = message.get("params")
            cancelled = id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
            task_or_none = self._work.get(cancelled) if cancelled is not None else None
            if task_or_none is not None:
                reason = params.get("reason") if isinstance(params, dict) else None
                task_or_none.cancel(reason if isinstance(reason, str) else None)
        elif message.get("method") == "notifications/initialized":
            self._ready = True  # Each upstream receives it at the end of its own handshake.
        elif not self._requests.forward_notification(message):
            routed = self._routes.of(message.get("params"))
            for upstream in [routed[0]] if routed is not None else self._running():
                upstream.notify(str(message.get("method")), routed[1] if routed is not None else message.get("params"))

    async def _serve(self, message: Message, key: Id) -> None:
        try:
            answer = await self._result(message)
        except RefusedError as refused:
            answer = {"jsonrpc": "2.0", "id": message["id"], "error": refused.error}
        except UpstreamError as error:
            answer = error_response(message["id"], str(error))
        except Exception:
            logger.exception("A request could not be passed on")
            answer = error_response(message["id"], "The request could not be passed on.")
        self._on_message(answer if isinstance(answer, bytes) else await adump_line(answer), key)

    async def _result(self, message: Message) -> Message | bytes:
        """Answer a request; return a line if a server's response passes unchanged.

        Raises:
            UpstreamError: The addressed server is down.
        """
        method = message["method"]
        handlers: dict[str, Callable[[Message], Coroutine[Any, Any, dict[str, Any] | bytes]]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "tools/call": self._call,
            "prompts/get": self._prompt,
            "resources/read": self._read,
            "logging/setLevel": self._set_level,
            "subscriptions/listen": self._subscriptions.listen,
            **dict.fromkeys(LISTS, self._list),
        }
        if method == "ping":
            return response(message, {})
        handler = handlers.get(method, self._pass_on)
        if is_modern(message) and method != "server/discover":
            await self._handshake_all(message)
        result = await handler(message)
        return result if isinstance(result, bytes) else response(message, result)

    # Handshakes

    async def _handshake_all(self, message: Message) -> None:
        self._is_modern = is_modern(message)
        waiting = [
            upstream.handshake(message)
            for upstream in self._upstreams.values()
            if not (self._is_modern and upstream.state is State.RUNNING)
        ]
        if waiting:
            # A server that exceeded the wait once is not awaited at every request.
            timeout = (
                0 if self._waited and message["method"] not in {"initialize", "server/discover"} else HANDSHAKE_WAIT
            )
            await asyncio.wait(waiting, timeout=timeout)
            self._waited = message["method"] != "server/discover"

    async def _initialize(self, message: Message) -> dict[str, Any]:
        await self._handshake_all(message)
        asked = (message.get("params") or {}).get("protocolVersion")
        # One that has not answered its own initialize yet has the result of a modern handshake, without a version.
        agreed = [upstream.handshake_result.get("protocolVersion") for upstream in self._running()]
        spoken = [version for version in agreed if isinstance(version, str)]
        version = max(spoken, default=asked if asked in SESSION_VERSIONS else SESSION_VERSIONS[-1])
        return {"protocolVersion": version, **self._introduction(), "serverInfo": server_info()}

    async def _discover(self, message: Message) -> dict[str, Any]:
        await self._handshake_all(message)
        legacy = [upstream.name for upstream in self._upstreams.values() if upstream.is_legacy]
        version = meta_of(message).get(PROTOCOL_VERSION)
        if legacy:
            raise RefusedError(
                UNSUPPORTED_VERSION,
                f"Not all servers speak {version}: {', '.join(legacy)} only {SESSION_VERSIONS[-1]} and before. "
                "Connect with initialize.",
                {"supported": list(SESSION_VERSIONS), "requested": version},
            )
        return {
            **NOT_CACHED,
            "supportedVersions": [version],
            **self._introduction(),
            "_meta": {SERVER_INFO: server_info()},
        }

    def _introduction(self) -> dict[str, Any]:
        upstreams = list(self._upstreams.values())
        return {"capabilities": merged_capabilities(upstreams), "instructions": merged_instructions(upstreams)}

    async def _list(self, message: Message) -> dict[str, Any]:
        return await merged_list(message, self._running(), self._request)

    # Requests to one server

    async def _request(self, upstream: Upstream, message: Message, params: Any) -> dict[str, Any]:
        """Send a request to a server in its own protocol revision and return its result in the client's."""
        return result_of(upstream, message, await (await self._forward(upstream, message, params)).parsed())

    async def _forward(
        self, upstream: Upstream, message: Message, params: Any, *, unparsed: bool = False
    ) -> UpstreamResponse:
        await upstream.wait_until_running(HANDSHAKE_WAIT)
        if is_modern(message) and not upstream.is_modern:
            params = without_client_meta(params)
        return await upstream.pass_on(message, with_own_tasks(params), unparsed=unparsed)

    async def _call(self, message: Message) -> dict[str, Any] | bytes:
        params = dict(message.get("params") or {})
        name = params.get("name")
        if name == SERVERS_TOOL:
            return text_result(servers_text(list(self._upstreams.values())))
        routed = self._routes.of({"name": name})
        if routed is None:
            if all(upstream.tools is None for upstream in self._running()):
                await self._list({**message, "method": "tools/list", "params": {"_meta": client_meta(message)}})
            routed = self._routes.of({"name": self._routes.listed_name(str(name))})
        if routed is None:
            raise self._routes.no_tool(str(name))
        upstream, own = routed
        same_era = is_modern(message) == upstream.is_modern
        try:
            answer = await self._forward(upstream, message, {**params, **own}, unparsed=same_era and self.unparsed)
            line = answer.line_for(message["id"], checked=self.unparsed) if same_era else None
            if answer.message is None and line is not None:
                return line
            parsed = await answer.parsed()
            result = result_of(upstream, message, parsed)
        except UpstreamError as error:
            # An error result, so that the model reads it, not only the host.
            return text_result(str(error), is_error=True)
        blocks = blocks_of(result)
        joined_blocks = with_joined_uris(upstream.name, blocks)
        if joined_blocks is not blocks:
            return with_content(result, joined_blocks)
        return result if line is None or result is not parsed.get("result") else line

    async def _prompt(self, message: Message) -> dict[str, Any]:
        params = dict(message.get("params") or {})
        routed = self._routes.of({"name": params.get("name")})
        if routed is None:
            raise RefusedError(INVALID_PARAMS, f"There is no prompt {quoted(str(params.get('name')))}.")
        upstream, own = routed
        result = await self._request(upstream, message, {**params, **own})
        return {**result, "messages": with_joined_uris(upstream.name, result.get("messages"))}

    async def _read(self, message: Message) -> dict[str, Any]:
        params = dict(message.get("params") or {})
        scheme, own = split_uri(params.get("uri"))
        upstream = self._schemes.get(scheme)
        if upstream is None:
            return await self._read_anywhere(message, params)
        result = await self._request(upstream, message, {**params, "uri": own})
        contents = result.get("contents")
        if not isinstance(contents, list):
            return result
        known = [part for part in contents if isinstance(part, dict)]
        return {**result, "contents": [{**part, "uri": joined_uri(upstream.name, part.get("uri"))} for part in known]}

    async def _read_anywhere(self, message: Message, params: dict[str, Any]) -> dict[str, Any]:
        """Read an address without a server's name, which may come from a text: the first server that has it answers."""
        refused = RefusedError(INVALID_PARAMS, f"There is no resource {quoted(str(params.get('uri')))}.")
        for upstream in filter(lambda each: each.has("resources"), self._running()):
            try:
                return await self._request(upstream, message, params)
            except RefusedError as error:
                refused = error
        raise refused

    async def _pass_on(self, message: Message) -> dict[str, Any]:
        """Forward a request of any other method to the server that its parameters name."""
        routed = self._routes.of(message.get("params")) or self._routes.only_upstream(message.get("params"))
        if routed is None:
            raise no_server_named(message)
        upstream, params = routed
        return await self._request(upstream, message, params)

    async def _set_level(self, message: Message) -> dict[str, Any]:
        for upstream in self._running():
            if upstream.has("logging"):
                await self._request(upstream, message, message.get("params"))
        return {}

    # From the servers

    def on_message(self, upstream: Upstream, message: Message, request: PendingRequest[ResponseWaiter] | None) -> None:
        """Handle a request or notification of a server."""
        method, params = message["method"], message.get("params")
        related = id_of({"id": request.request_id}) if request is not None else None
        if "id" in message:
            self._forward_to_client(upstream, message, related)
        elif method == "notifications/subscriptions/acknowledged":
            return
        elif method == CANCELLED and isinstance(params, dict):
            self._requests.cancel(upstream, params)
        elif method == "notifications/resources/updated" and isinstance(params, dict):
            self._announce(method, {**params, "uri": joined_uri(upstream.name, params.get("uri"))})
        elif any(method == name for name, _ in LIST_CHANGES.values()):
            self._announce(method, None)
        else:
            joined = with_joined_tasks(upstream.name, params) if isinstance(params, dict) else params
            self._notify_client(method, joined, related)

    def _forward_to_client(self, upstream: Upstream, message: Message, related: Id | None) -> None:
        if self._is_modern:
            text = "The client speaks a revision without requests from server to client."
            upstream.answer(error_response(message["id"], text, METHOD_NOT_FOUND))
            return
        self._requests.forward(upstream, message, related)

    def on_state_change(self, upstream: Upstream) -> None:
        """Notify the client that lists have changed, if it can receive notifications."""
        if upstream.state is not State.RUNNING:
            self._requests.forget(upstream)
        if self._ready or self._subscriptions.open:
            for capability, (method, _) in LIST_CHANGES.items():
                if capability == "tools" or capability in upstream.capabilities:
                    self._announce(method, None)

    def _announce(self, method: str, params: dict[str, Any] | None) -> None:
        """Announce a change to the session, or to the subscriptions for it."""
        if not self._is_modern:
            self._notify_client(method, params, None)
            return
        self._subscriptions.announce(method, params)

    def _notify_client(self, method: str, params: Any, related: Id | None) -> None:
        message: Message = {"jsonrpc": "2.0", "method": method}
        self._on_message(to_line(message if params is None else {**message, "params": params}), related)

    def _running(self) -> list[Upstream]:
        return [upstream for upstream in self._upstreams.values() if upstream.state is State.RUNNING]
