"""HTTP requests without a session: each is self-contained; its response is JSON or a stream of events."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp_types import PARSE_ERROR
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coatcheck.calls.host_profiles import CLIENT_INFO
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CallBudgets
from coatcheck.calls.long_messages import LONG_MESSAGE, LongMessages, Unsent
from coatcheck.calls.nested_coatchecks import NESTED_HEADER, chain_of, loop_in
from coatcheck.codec import Chunks, dump_json, free_chunks
from coatcheck.errors import UpstreamError
from coatcheck.mcp_server.middleware import current_caller
from coatcheck.proxy.client_lines import refuse
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.long_responses import TOO_MANY_UNSENT, send_body, without_end
from coatcheck.proxy.front.shared_connection import RequestStream, SharedConnection
from coatcheck.proxy.jsonrpc import (
    INTERNAL_ERROR,
    LONG_LINE,
    MAX_EVENT_BYTES,
    PARSED_AT_ONCE,
    Message,
    error_response,
    id_of,
    is_request,
    is_response,
    meta_of,
    parse,
    parse_long,
    to_line,
)
from coatcheck.proxy.partial_parsing import PartialCall, find_response_id, without_arguments
from coatcheck.proxy.view_calls import CALL
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

logger = logging.getLogger(__name__)

PING_SECONDS = 15.0
MAX_QUEUED_BYTES = 16 << 20
"""Bytes that may wait for a client in addition to the largest message."""

MAX_NAME_CHARACTERS = 100
"""Characters of the name that distinguishes applications of one user."""

LISTEN = "subscriptions/listen"
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class LongCall(dict[str, Any]):
    """A long call without its arguments, which are parsed again when it is its turn."""


class HttpRequests(ABC):
    """Answers requests without a session; subclasses implement the protocol revisions.

    ``security`` are the accepted Host and Origin headers; ``loopback``: only this machine can connect.
    """

    statuses: Mapping[int, int] = MappingProxyType({})
    """The HTTP status of an upstream's error, by its code; 200 for all others."""

    own_statuses: Mapping[int, int] = MappingProxyType({})
    """The same for our own errors."""

    def __init__(
        self, interceptor: Interceptor, scopes: Tenancy, security: TransportSecuritySettings, *, loopback: bool
    ) -> None:
        self._interceptor = interceptor
        self._scopes = scopes
        self._security = TransportSecurityMiddleware(security)
        self._loopback = loopback
        self._budgets = CallBudgets()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, whose body is a single event (``BufferedBodies``)."""
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
        body = (await receive())["body"]
        try:
            message, answer = await self._checked(body, request)
        except UpstreamError as error:
            await _respond(dump_json(error_response(None, str(error))), send, {INTERNAL_ERROR: 503})
            return
        if answer is None:
            shared = self._connection_for(message, request)
            with self._scopes.enter(current_caller(over_network=True)):
                peer = request.client.host if request.client else ""
                is_nested = self._is_from_coatcheck(request)
                await self._exchange(message, body, shared, peer, receive, send, is_nested=is_nested)
        elif answer:
            await _respond(dump_json(answer), send, self.own_statuses)
        else:
            await Response(status_code=202)(scope, receive, send)

    async def _checked(self, body: bytes, request: Request) -> tuple[Any, Message | None]:
        """Return a message, and our own answer to it, if it is not forwarded; see ``_check``.

        A long call is parsed in turn, and returned without its arguments: they take several times its bytes.

        Raises:
            UpstreamError: Too many long messages are being parsed.
        """
        if len(body) <= PARSED_AT_ONCE:
            message = await self._parsed_partially(body) or await parse_long(body)
            return message, self._loop(message, request) or await self._check(message, request)
        chunks: Chunks = []
        caller = current_caller(over_network=True)
        key = caller if caller.kind is CallerKind.PRINCIPAL else object()
        turn = await LongMessages.of_loop().requests.turn(len(body), key)
        try:
            message = await self._parsed_partially(body) or await parse_long(body, chunks)
        finally:
            turn.end()
        params = message.get("params") if is_request(message) and message["method"] == CALL else None
        is_same = isinstance(params, dict) and "task" not in params  # which may be removed
        answer = self._loop(message, request) or await self._check(message, request)
        if chunks and answer is None and is_same:
            message, params = LongCall(without_arguments(message)), None  # what holds the arguments
            await free_chunks(chunks)
        return message, answer

    def _loop(self, message: Any, request: Request) -> Message | None:
        """Return an error if the request has passed this coatcheck before."""
        if not is_request(message):
            return None
        loop = loop_in(chain_of(message)) or loop_in([request.headers.get(NESTED_HEADER, "")])
        return error_response(message["id"], loop) if loop else None

    def _is_from_coatcheck(self, request: Request) -> bool:
        """Whether an outer coatcheck sends the request, where its body cannot show this."""
        del request
        return False

    async def _parsed_partially(self, body: bytes) -> Message | None:
        """Return a long call partially parsed, if that is sufficient."""
        del body
        return None

    @abstractmethod
    async def _check(self, message: Any, request: Request) -> Message | None:
        """Return our own answer to a message: ``{}`` for no response, ``None`` for a message that is forwarded."""

    @abstractmethod
    def _connection_for(self, message: Message, request: Request) -> SharedConnection:
        """Return the upstream of a forwarded request."""

    def _budget_key(self, message: Message, caller: Caller, peer: str) -> Hashable:
        """Return the key under which calls share a budget without a session: the application of a user.

        Anonymous callers over a network share no budget: one could exhaust it, or infer calls of others from the rest.
        Requests of the 2025 revisions do not name their application: all of a user count together.
        """
        application = application_of(message)
        if caller.kind is CallerKind.PRINCIPAL:
            return (caller.principal, *application)
        return (peer, *application) if self._loopback else None

    async def _exchange(
        self,
        message: Message,
        line: bytes,
        shared: SharedConnection,
        peer: str,
        receive: Receive,
        send: Send,
        *,
        is_nested: bool,
    ) -> None:
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await shared.wait_for_capacity()
            if message["method"] == CALL and not is_nested:
                await shared.learn_tools(message, self._interceptor)
            if not leaving.done():
                await self._converse(message, line, shared, peer, leaving, send, is_nested=is_nested)
        except UpstreamError as error:
            await _respond(dump_json(error_response(message["id"], str(error))), send, self.own_statuses)
        finally:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(leaving, return_exceptions=True)

    async def _converse(
        self,
        message: Message,
        line: bytes,
        shared: SharedConnection,
        peer: str,
        leaving: "asyncio.Future[None]",
        send: Send,
        *,
        is_nested: bool,
    ) -> None:
        lines = SendQueue()
        ready: asyncio.Future[Interceptor] = asyncio.get_running_loop().create_future()
        ready.set_result(self._interceptor)
        # The upstream's messages arrive in another task, which needs the caller's namespace as well.
        scope = current_caller(over_network=True)
        stream: RequestStream

        def take(line: bytes) -> None:
            with self._scopes.enter(scope):
                conversation.from_server(line)

        stream = shared.stream(take)
        conversation = Conversation(
            lines.put,
            stream.send,
            ready,
            on_stray_output=lambda _line: None,
            offer_resources=self._interceptor.resource_links,
            outer=is_nested,
            inner=shared.server_keeps_objects,
            object_readers=shared.object_readers,
            listed_name=shared.listed_name,
            is_gateway=shared.is_gateway,
            caller=scope if scope.kind is CallerKind.PRINCIPAL else None,
            capacity=shared.capacity,
            tools=shared.tools,
            budget=self._budgets.of(self._budget_key(message, scope, peer)),
            reencoded=True,
        )
        answering = asyncio.ensure_future(_answer(lines, message, send, self.statuses))
        try:
            if isinstance(message, LongCall):
                conversation.from_client(line, partial(refuse, lines.put, message))
            elif not isinstance(message, PartialCall):
                conversation.message_from_client(message, line)
            elif not conversation.passed_unparsed(message, line):
                whole = await parse_long(line)
                if is_request(whole) and id_of(whole) == id_of(message):
                    conversation.message_from_client(whole, line)
                else:
                    lines.put(to_line(error_response(message["id"], "Parse error", PARSE_ERROR)))
            await asyncio.wait({leaving, answering, lines.too_many}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            stream.close()
            conversation.leave()
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(answering, return_exceptions=True)


def application_of(request: Message) -> tuple[str, ...]:
    """Return name and version of a request's application, bounded because they are kept."""
    info = meta_of(request).get(CLIENT_INFO)
    words = [info.get(key) for key in ("name", "version")] if isinstance(info, dict) else []
    return tuple(word[:MAX_NAME_CHARACTERS] if isinstance(word, str) else "" for word in words)


class SendQueue:
    """Lines queued for a client. A client that does not read is disconnected, because others share its upstream."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[bytes | Unsent] = asyncio.Queue()
        self._sending: bytes | Unsent = b""
        self._bytes = 0
        self._largest = 0
        self.too_many: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, line: bytes) -> None:
        """Add a line; a single line may have any size."""
        if len(line) > LONG_MESSAGE and not LongMessages.of_loop().may_send(len(line)):
            key = find_response_id(line)
            line = line if key is None else to_line(error_response(key[1], TOO_MANY_UNSENT))
        self._bytes += len(line)
        self._largest = max(self._largest, len(line))
        if self._bytes - self._largest > MAX_QUEUED_BYTES and not self.too_many.done():
            logger.warning("A client does not read its response and is disconnected")
            self.too_many.set_result(None)
        if not self.too_many.done():
            self._lines.put_nowait(line if len(line) <= LONG_MESSAGE else Unsent(line))

    async def get(self) -> bytes:
        """Return the next line; the one before has been sent."""
        self._sending = b""
        self._sending = item = await self._lines.get()
        line = item.line if isinstance(item, Unsent) else item
        self._bytes -= len(line)
        return line


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive()).get("type") != "http.disconnect":
        pass


async def _answer(lines: "SendQueue", request: Message, send: Send, statuses: Mapping[int, int]) -> None:
    """Send a single response as JSON, else events up to the response."""
    first = None
    with suppress(TimeoutError):
        first = await asyncio.wait_for(lines.get(), PING_SECONDS)
    answer = None if first is None or request["method"] == LISTEN else _answer_in(first, request)
    if answer is not None:
        await _respond(answer, send, statuses)
        return
    await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
    async for line in _with_pings(first, lines):
        if line is None:
            await send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})
            continue
        answer = _answer_in(line, request)
        if answer is None and len(line) > MAX_EVENT_BYTES:
            logger.warning("The server sent a notification that is too large; it is dropped")
            continue
        event = (b"event: message\r\ndata: ", without_end(line), b"\r\n\r\n")
        await send_body(send, *event, more_body=answer is None)
        if answer is not None:
            return


async def _with_pings(first: bytes | None, lines: "SendQueue") -> AsyncIterator[bytes | None]:
    yield first
    while True:
        try:
            yield await asyncio.wait_for(lines.get(), PING_SECONDS)
        except TimeoutError:
            yield None


def _answer_in(line: bytes, request: Message) -> bytes | None:
    """Return the response to a request if a line is one; the conversation has checked that it is well-formed."""
    key = find_response_id(line) if len(line) > LONG_LINE else None
    if key is None:
        message = parse(line)
        key = id_of(message) if is_response(message) else None
    return line if key is not None and key == id_of(request) else None


async def _respond(line: bytes, send: Send, statuses: Mapping[int, int]) -> None:
    """Respond with JSON and the HTTP status of an error's code."""
    status = 200
    if statuses and b'"error"' in line[:400]:
        parsed = parse(line)
        error = parsed.get("error") if isinstance(parsed, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        status = statuses.get(code, 200) if isinstance(code, int) else 200
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send_body(send, line, more_body=False)
