"""Requests of 2026-07-28 over HTTP: each is complete in itself, and its response is JSON or a stream of events."""

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from contextlib import suppress
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp_types import HEADER_MISMATCH, INVALID_REQUEST, PARSE_ERROR
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coatcheck.codec import dump_json
from coatcheck.errors import CoatcheckError
from coatcheck.listening.sharing import Lane, SharedLink
from coatcheck.middleware import scope_of_caller
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.messages import (
    CLIENT_INFO,
    LONG_LINE,
    Message,
    error_response,
    glance_at_id,
    id_of,
    is_request,
    is_response,
    meta_of,
    parse,
)
from coatcheck.scopes import Reach, Scopes
from coatcheck.scopes import Scope as Caller
from coatcheck.wire.interceptor import Interceptor
from coatcheck.wire.rounds import Rounds

logger = logging.getLogger(__name__)

PING_SECONDS = 15.0
MOST_WAITING = 16 << 20
"""Bytes that may wait for a client beside the largest message."""

LISTEN = "subscriptions/listen"
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Requests:
    """Answers requests that know no session.

    Args:
        shared: The upstream.
        interceptor: What is done with lists, arguments and results.
        scopes: Where the store asks for the namespace.
        security: Which host and origin headers are accepted.
        loopback: Whether only this machine can connect.
    """

    def __init__(
        self,
        shared: SharedLink,
        interceptor: Interceptor,
        scopes: Scopes,
        security: TransportSecuritySettings,
        *,
        loopback: bool,
    ) -> None:
        self._shared = shared
        self._interceptor = interceptor
        self._scopes = scopes
        self._security = TransportSecurityMiddleware(security)
        self._loopback = loopback
        self._rounds = Rounds()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        refused = await self._security.validate_request(request, is_post=request.method == "POST")
        if refused is not None:
            await refused(scope, receive, send)
            return
        if request.method != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        takes_json, takes_events = check_accept_headers(request)
        if not takes_json or not takes_events:
            await Response(status_code=406)(scope, receive, send)
            return
        body = await request.body()
        message = parse(body)
        answer = await self._judged(message, request)
        if answer is None:
            with self._scopes.enter(scope_of_caller(over_network=True)):
                await self._exchange(message, body, request.client.host if request.client else "", receive, send)
        elif answer:
            await _respond(answer, send)
        else:
            await Response(status_code=202)(scope, receive, send)

    async def _judged(self, message: Any, request: Request) -> Message | None:
        """Give the answer that a message gets here, ``{}`` for one that gets none, ``None`` for one that passes on."""
        if message is None:
            return error_response(None, "Parse error", PARSE_ERROR)
        if isinstance(message, dict) and "id" not in message and isinstance(message.get("method"), str):
            # Notifications are accepted and go nowhere: this revision has none from client to server.
            version = request.headers.get("mcp-protocol-version", "")
            rejected = unsupported_protocol_version_rejection(version)
            return {} if rejected is None else _rejection(rejected, None)
        if not is_request(message) or id_of(message) is None:
            return error_response(None, "The body must be one JSON-RPC request or notification.", INVALID_REQUEST)
        twice = find_duplicated_routing_header(request.headers.items())
        if twice is not None:
            return error_response(message["id"], f"The header {twice} appears more than once", HEADER_MISMATCH)
        verdict = classify_inbound_request(message, headers=dict(request.headers))
        if isinstance(verdict, InboundLadderRejection):
            return _rejection(verdict, message["id"])
        try:
            return await self._shared.refusal(message) or await self._mismatch(message, request)
        except CoatcheckError as error:
            return error_response(message["id"], str(error))

    async def _mismatch(self, message: Message, request: Request) -> Message | None:
        """Refuse a call whose headers say other than its arguments, where the tool's schema is known."""
        params = message["params"]
        name, arguments = params.get("name"), params.get("arguments")
        if message["method"] != "tools/call" or not isinstance(name, str) or not isinstance(arguments or {}, dict):
            return None
        schema = self._interceptor.schema_of(name)
        if schema is None:
            return None
        rejected = validate_mcp_param_headers(schema, arguments or {}, request.headers)
        return None if rejected is None else _rejection(rejected, message["id"])

    def _maker_of_rounds(self, message: Message, caller: Caller, peer: str) -> Hashable:
        """Say whose calls count together, for want of a session: those of one application of one user.

        Who is not known, over a network, shares a budget with nobody: a stranger could use it up, or learn from
        what is left that others call.
        """
        info = meta_of(message).get(CLIENT_INFO)
        info = info if isinstance(info, dict) else {}
        application = (str(info.get("name")), str(info.get("version")))
        if caller.reach is Reach.PRINCIPAL:
            return (caller.principal, *application)
        return (peer, *application) if self._loopback else None

    async def _exchange(self, message: Message, line: bytes, peer: str, receive: Receive, send: Send) -> None:
        await self._shared.has_room()
        lines = Waiting()
        ready: asyncio.Future[Interceptor] = asyncio.get_running_loop().create_future()
        ready.set_result(self._interceptor)
        # What the upstream says comes from another task; the caller's scope must hold for it as well.
        scope = scope_of_caller(over_network=True)
        lane: Lane

        def take(line: bytes) -> None:
            with self._scopes.enter(scope):
                conversation.from_server(line)

        lane = self._shared.lane(take, (message, line))
        conversation = Conversation(
            lines.put,
            lane.send,
            ready,
            on_noise=lambda _line: None,
            offer_resources=self._interceptor.resource_links,
            calls_at_once=self._rounds.of(self._maker_of_rounds(message, scope, peer)),
        )
        conversation.heard_server = True
        leaving = asyncio.ensure_future(_left(receive))
        answering = asyncio.ensure_future(_answer(lines, message, send))
        try:
            conversation.message_from_client(message, line)
            await asyncio.wait({leaving, answering, lines.too_many}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            lane.close()
            conversation.leave()
            for task in (leaving, answering):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(leaving, answering, return_exceptions=True)


class Waiting:
    """Lines that wait for a client to take them. One that does not read is left: its upstream is that of others too."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._bytes = 0
        self._largest = 0
        self.too_many: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, line: bytes) -> None:
        """Add a line; a single one may be of any size."""
        self._bytes += len(line)
        self._largest = max(self._largest, len(line))
        if self._bytes - self._largest > MOST_WAITING and not self.too_many.done():
            logger.warning("A client that does not read what it asked for is left")
            self.too_many.set_result(None)
        if not self.too_many.done():
            self._lines.put_nowait(line)

    async def get(self) -> bytes:
        """Take the next line."""
        line = await self._lines.get()
        self._bytes -= len(line)
        return line


async def _left(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive()).get("type") != "http.disconnect":
        pass


async def _answer(lines: "Waiting", request: Message, send: Send) -> None:
    """Send what comes: a sole answer as JSON, else events until the answer is among them."""
    first = None
    with suppress(TimeoutError):
        first = await asyncio.wait_for(lines.get(), PING_SECONDS)
    if first is not None and _is_answer(first, request) and request["method"] != LISTEN:
        await _respond_line(first, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
    async for line in _with_pings(first, lines):
        if line is None:
            await send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})
            continue
        done = _is_answer(line, request)
        event = b"event: message\r\ndata: " + line.rstrip() + b"\r\n\r\n"
        await send({"type": "http.response.body", "body": event, "more_body": not done})
        if done:
            return


async def _with_pings(first: bytes | None, lines: "Waiting") -> AsyncIterator[bytes | None]:
    yield first
    while True:
        try:
            yield await asyncio.wait_for(lines.get(), PING_SECONDS)
        except TimeoutError:
            yield None


def _is_answer(line: bytes, request: Message) -> bool:
    key = glance_at_id(line) if len(line) > LONG_LINE else None
    if key is not None:
        return key == id_of(request)
    message = parse(line)
    return is_response(message) and id_of(message) == id_of(request)


def _rejection(rejected: InboundLadderRejection, request_id: Any) -> Message:
    failure = error_response(request_id, rejected.message, rejected.code)
    if rejected.data is not None:
        failure["error"]["data"] = rejected.data
    return failure


async def _respond(message: Message, send: Send) -> None:
    await _respond_line(dump_json(message), send)


async def _respond_line(line: bytes, send: Send) -> None:
    """Answer with JSON, under the status that belongs to an error's code."""
    status = 200
    if b'"error"' in line[:400]:
        parsed = parse(line)
        error = parsed.get("error") if isinstance(parsed, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        status = ERROR_CODE_HTTP_STATUS.get(code, 200) if isinstance(code, int) else 200
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": line.rstrip(), "more_body": False})
