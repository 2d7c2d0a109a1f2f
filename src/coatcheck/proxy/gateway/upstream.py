"""A server behind a gateway: its connection, handshake, requests and restarts."""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Protocol

from coatcheck.calls.nested_coatchecks import chain_of, with_announcement
from coatcheck.errors import UpstreamError, quoted
from coatcheck.proxy.background_tasks import MAX_BYTES_IN_PROGRESS, BackgroundTasks
from coatcheck.proxy.gateway.client_metadata import client_info, client_meta, modern_capabilities
from coatcheck.proxy.gateway.names import may_name_resources, may_name_tasks
from coatcheck.proxy.gateway.responses import ResponseWaiter, UpstreamResponse
from coatcheck.proxy.jsonrpc import (
    PARSED_AT_ONCE,
    PROTOCOL_VERSION,
    SESSION_VERSIONS,
    Id,
    Message,
    error_response,
    is_modern,
    is_response,
    meta_of,
    parse,
    supported_versions,
    text_of,
    to_line,
)
from coatcheck.proxy.partial_parsing import (
    aencode_message,
    find_broken_response_id,
    find_response_id,
    has_escaped_letters,
    with_members,
)
from coatcheck.proxy.pending_requests import PendingRequest, PendingRequests
from coatcheck.proxy.response_checks import with_one_id
from coatcheck.proxy.upstreams.base import UpstreamConnection

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds until a lost server is restarted: doubled each time, up to the maximum."""

STEADY_SECONDS = 60.0
"""Seconds after which a running server resets the restart delay."""

HANDSHAKE_TIMEOUT = 60.0
"""Seconds within which a server must complete the handshake; the client waits less."""


class State(Enum):
    """The state of an upstream."""

    WAITING = "not started yet"
    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"


class UpstreamListener(Protocol):
    """Receives what an upstream reports."""

    def on_message(
        self, upstream: "Upstream", message: Message, request: "PendingRequest[ResponseWaiter] | None"
    ) -> None:
        """Handle a request or notification of the server; ``request`` is the client request it belongs to, if known."""
        ...

    def on_pressure(self) -> None:
        """The number of bytes that wait for a server has changed."""
        ...

    def on_state_change(self, upstream: "Upstream") -> None:
        """A server came up or went down."""
        ...


class Upstream:
    """One server.

    ``owner`` receives the requests and notifications of the server.

    Attributes:
        tools: The names of its tools in the last list; ``None`` before the first.
    """

    def __init__(self, name: str, make_connection: Callable[[], UpstreamConnection], owner: UpstreamListener) -> None:
        self.name = name
        self.state = State.WAITING
        self.reason = ""
        self.retry_at = 0.0
        self.is_modern = False
        self.is_legacy = False
        self.handshake_result: dict[str, Any] = {}
        self.tools: set[str] | None = None
        self._make_connection = make_connection
        self._owner = owner
        self._connection: UpstreamConnection | None = None
        self._client_handshake: Message | None = None
        self._requests: PendingRequests[ResponseWaiter] = PendingRequests()
        self._failures = 0
        self._up_since = 0.0
        self._handshake_task: asyncio.Task[None] | None = None
        self._is_initialized = False
        self._retrying: asyncio.Task[None] | None = None
        self._failing: asyncio.Task[None] | None = None
        self._closed = False
        self._paused = False
        self._parsing = BackgroundTasks(self._apply_backpressure)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the server has not read."""
        return 0 if self._connection is None else self._connection.unsent_bytes

    @property
    def backlog_bytes(self) -> int:
        """The same without those of one long message."""
        return 0 if self._connection is None else self._connection.backlog_bytes

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading from the server."""
        self._paused = paused
        self._apply_backpressure()

    def _apply_backpressure(self) -> None:
        if self._connection is not None:
            self._connection.set_paused(paused=self._paused or self._parsing.size > MAX_BYTES_IN_PROGRESS)

    @property
    def capabilities(self) -> dict[str, Any]:
        """The server's capabilities."""
        found = self.handshake_result.get("capabilities")
        return found if isinstance(found, dict) else {}

    def has(self, capability: str) -> bool:
        """Whether the server runs and has a capability."""
        return self.state is State.RUNNING and self.capabilities.get(capability) is not None

    def describe(self) -> str:
        """Describe the state of the server."""
        if self.state is not State.DOWN:
            return str(self.state.value)
        wait = max(self.retry_at - time.monotonic(), 0)
        return f"down, tried again in {wait:.0f} s. {self.reason}"

    def open(self) -> None:
        """Start the process or prepare the connection, without a handshake."""
        if self._connection is not None or self._closed:
            return
        connection = self._make_connection()
        try:
            connection.start(self._on_line, lambda text: self._ended(connection, text), self._owner.on_pressure)
        except UpstreamError as error:
            self._went_down(str(error))
        else:
            self._connection = connection
            self._apply_backpressure()

    # Handshake

    def handshake(self, client: Message) -> asyncio.Task[None]:
        """Perform the client's handshake, or the one that its first request needs; again only for another revision."""
        before = self._client_handshake
        again = before is None or _opens_session(client) != _opens_session(before)
        if self._handshake_task is None or again or (self._handshake_task.done() and self.state is State.WAITING):
            self._client_handshake = client
            self._handshake_task = asyncio.ensure_future(self._handshake(client, self._handshake_task))
        return self._handshake_task

    async def _handshake(self, client: Message, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
            if self._is_initialized:
                await self._drop_connection()  # A server that has used one protocol revision may refuse the other.
        if self.state is State.DOWN:
            return  # It is retried later, with this handshake.
        self.state = State.STARTING
        self.open()
        if self._connection is None:
            return
        try:
            await asyncio.wait_for(self._exchange_handshake(client), HANDSHAKE_TIMEOUT)
        except TimeoutError:
            await self._drop_connection()
            self._went_down(f"No initialize response within {HANDSHAKE_TIMEOUT:g} s.")
        except UpstreamError as error:
            await self._drop_connection()
            self._went_down(str(error))
        except Exception:
            logger.exception("The handshake with %s failed", self.name)
            await self._drop_connection()
            self._went_down("The handshake failed.")
        else:
            if not self._is_initialized:
                self.state = State.WAITING
                return
            self.state, self.reason, self._up_since = State.RUNNING, "", time.monotonic()
            self._owner.on_state_change(self)

    async def _exchange_handshake(self, client: Message) -> None:
        self.is_modern = False
        params = client.get("params")
        if is_modern(client) and not self.is_legacy:
            answer = await self.request("server/discover", {"_meta": client_meta(client)})
            result = answer.get("result")
            version = meta_of(client)[PROTOCOL_VERSION]
            if isinstance(result, dict) and version in supported_versions(result):
                self.is_modern, self.handshake_result, self._is_initialized = True, result, True
                return
            self.is_legacy = True
        if is_modern(client):
            if client["method"] == "server/discover":
                return  # The client will retry with `initialize`, which is better than our own.
            params = {
                "protocolVersion": SESSION_VERSIONS[-1],
                "capabilities": with_announcement(modern_capabilities(client), chain_of(client)),
                "clientInfo": client_info(client),
            }
        answer = await self.request("initialize", params if isinstance(params, dict) else {})
        result = answer.get("result")
        if not isinstance(result, dict):
            error = answer.get("error")
            words = text_of(error.get("message")) if isinstance(error, dict) else "it gave no answer"
            raise UpstreamError(f"It refused initialize: {quoted(words, 300)}.")
        self.handshake_result, self._is_initialized = result, True
        self.notify("notifications/initialized", None)

    async def wait_until_running(self, seconds: float) -> None:
        """Wait for a server that is starting.

        Raises:
            UpstreamError: It is not running; the message says when it is restarted.
        """
        if self.state is State.STARTING and self._handshake_task is not None:
            await asyncio.wait({self._handshake_task}, timeout=seconds)
        if self.state is not State.RUNNING:
            raise UpstreamError(f'The server "{self.name}" is {self.describe()}')

    # Talking

    async def request(self, method: str, params: Any) -> Message:
        """Send a request and return the parsed response; see `pass_on`."""
        return await (await self.pass_on({"jsonrpc": "2.0", "method": method}, params)).parsed()

    async def pass_on(self, request: Message, params: Any, *, unparsed: bool = False) -> UpstreamResponse:
        """Forward a client's request with other parameters; if this task is cancelled, the request is cancelled too.

        ``unparsed``: a long response may stay unparsed where nothing in it is renamed.

        Raises:
            UpstreamError: The server is down, or is lost before it has answered.
        """
        connection = self._connection
        if connection is None:
            raise UpstreamError(f'The server "{self.name}" is {self.describe()}')
        waiter = ResponseWaiter(asyncio.get_running_loop().create_future(), unparsed)
        pending = self._requests.add(request, waiter)
        outgoing = with_members(request, jsonrpc="2.0", id=pending.key[1], params=params)
        if params is None:
            del outgoing["params"]
        sent = False
        try:
            line = await aencode_message(outgoing)
            if self._connection is connection:  # A restarted server must not receive requests of its predecessor.
                sent = True
                connection.send(line, outgoing)
            return await waiter.response
        except asyncio.CancelledError as cancelled:
            if sent and pending.key in self._requests and request["method"] not in {"initialize", "server/discover"}:
                reason = {"reason": str(cancelled.args[0])} if cancelled.args else {}
                self.notify("notifications/cancelled", {"requestId": pending.key[1], **reason})
            raise
        finally:
            self._requests.remove(pending)

    def notify(self, method: str, params: Any) -> None:
        """Send a notification to the server if it is connected."""
        self._send({"jsonrpc": "2.0", "method": method} | _params_member(params))

    def answer(self, message: Message) -> None:
        """Send the response to a request of the server."""
        self._send(message)

    def _send(self, message: Message) -> None:
        if self._connection is not None:
            self._connection.send(to_line(message), message)

    def _on_line(self, line: bytes, related: Id | None) -> None:
        for each in with_one_id(line):
            self._take_line(each, related)

    def _take_line(self, line: bytes, related: Id | None) -> None:
        if len(line) > PARSED_AT_ONCE:
            self._parsing.start(self._forward_long_response(line, related), len(line))
        else:
            self._taken(parse(line), line, related)

    async def _forward_long_response(self, line: bytes, related: Id | None) -> None:
        """Forward a long answer of which only the id changes; parse all else."""
        pending = self._requests.find(_value(find_response_id(line)))
        if pending is not None and pending.requester.unparsed:
            for names in (has_escaped_letters, may_name_resources, may_name_tasks):
                if names(line):
                    break
                await asyncio.sleep(0)  # Each search takes some 10 ms for 26 MB.
            else:
                pending.requester.give(UpstreamResponse(line, None))
                return
        self._parsing.start_parsing(line, partial(self._taken, related=related), partial(self._refuse, line))

    def _refuse(self, line: bytes, reason: str) -> bool:
        """Answer a request whose long response cannot be processed; return whether the request is known."""
        pending = self._requests.find(_value(find_response_id(line)))
        if pending is not None:
            error = error_response(pending.key[1], reason)
            pending.requester.give(UpstreamResponse(to_line(error), error))
        return pending is not None

    def _taken(self, message: Any, line: bytes, related: Id | None) -> None:
        if message is None:  # Nested too deeply, or not JSON: its request still gets a response.
            unreadable = self._requests.find(_value(find_broken_response_id(line)))
            if unreadable is not None:
                unreadable.requester.give(UpstreamResponse(b"", {}))
        for part in message if isinstance(message, list) else [message]:
            if not isinstance(part, dict):
                continue
            if is_response(part):
                pending = self._requests.find(part.get("id"))
                if pending is not None:
                    pending.requester.give(UpstreamResponse(line if part is message else b"", part))
            elif isinstance(part.get("method"), str):
                self._owner.on_message(self, part, self._requests.get(related))

    # Loss and restart

    def _ended(self, connection: UpstreamConnection, text: str) -> None:
        if self._connection is connection:
            self._connection, self._is_initialized = None, False
            self._went_down(text)

    def _went_down(self, reason: str) -> None:
        if self._closed or self.state is State.DOWN:  # The handshake fails too when its connection ends.
            return
        if reason != self.reason:  # Further attempts would fail in the same way.
            logger.warning("%s", reason if quoted(self.name) in reason else f"{self.name}: {reason}")
        if self.state is State.RUNNING and time.monotonic() - self._up_since > STEADY_SECONDS:
            self._failures = 0
        wait = min(FIRST_WAIT * 2**self._failures, LONGEST_WAIT)
        self._failures += 1
        was_running, self.state, self.reason = self.state is State.RUNNING, State.DOWN, reason
        self.retry_at = time.monotonic() + wait
        self._failing = asyncio.ensure_future(self._fail(list(self._requests), self.describe()))
        self._retrying = asyncio.ensure_future(self._retry(wait))
        if was_running:
            self._owner.on_state_change(self)

    async def _fail(self, pending: list[PendingRequest[ResponseWaiter]], state: str) -> None:
        """Fail the unanswered requests, after its last lines have been parsed."""
        await self._parsing.finish()
        for request in pending:
            if not request.requester.response.done():
                request.requester.response.set_exception(UpstreamError(f'The server "{self.name}" is {state}'))

    async def _retry(self, wait: float) -> None:
        await asyncio.sleep(wait)
        self.state = State.WAITING
        if self._client_handshake is None:
            self.open()
        else:
            self._handshake_task = asyncio.ensure_future(self._handshake(self._client_handshake, None))

    async def _drop_connection(self) -> None:
        connection, self._connection, self._is_initialized = self._connection, None, False
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        """Stop the server; it is not restarted."""
        self._closed = True
        for task in (self._retrying, self._failing, self._handshake_task):
            if task is not None:
                task.cancel()
        await self._drop_connection()


def _value(key: Id | None) -> Any:
    return None if key is None else key[1]


def _params_member(params: Any) -> dict[str, Any]:
    return {} if params is None else {"params": params}


def _opens_session(message: Message) -> bool:
    return message.get("method") == "initialize"
