"""One HTTP session: connects the SDK's transport, a conversation and an upstream connection."""

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, jsonrpc_message_adapter
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import adump_line, is_deeper
from coatcheck.errors import UpstreamError
from coatcheck.proxy.background_tasks import MAX_BYTES_IN_PROGRESS
from coatcheck.proxy.client_lines import drop, refuse
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.event_store import SessionEvents
from coatcheck.proxy.front.long_calls import LongCalls
from coatcheck.proxy.front.long_responses import EncodedResponse, EncodedResponses
from coatcheck.proxy.jsonrpc import (
    MAX_EVENT_BYTES,
    PARSED_AT_ONCE,
    PROGRESS_TOKEN,
    Id,
    Message,
    error_response,
    id_of,
    is_response,
    parse,
    request_key,
    to_line,
    well_formed_line,
)
from coatcheck.proxy.line_streams import HIGH_WATER
from coatcheck.proxy.partial_parsing import find_response_id
from coatcheck.proxy.pending_requests import PendingRequests
from coatcheck.proxy.response_checks import unreadable
from coatcheck.proxy.send_capacity import SendCapacity
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

logger = logging.getLogger(__name__)

EndStream = Callable[[], Awaitable[None]]
"""Closes the response stream of a request that will not be answered."""

CANCELLED = "notifications/cancelled"
FINAL_RESPONSE_SECONDS = 0.5
"""Seconds within which the client must read the responses that explain the end of the session."""

_OF_NO_REQUEST = frozenset(
    {
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
    }
)


class Session:
    """A client's session, with its own upstream, which starts with the client's first message.

    ``transport`` is the SDK's side, not connected yet; ``events`` are the recent ones, for resumption.
    """

    def __init__(
        self,
        transport: StreamableHTTPServerTransport,
        events: SessionEvents,
        make_connection: Callable[[], UpstreamConnection],
        interceptor: Interceptor,
        scopes: Tenancy,
        caller: Caller,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.transport = transport
        self._events = events
        self.connected = asyncio.Event()
        self.is_over = False  # its upstream is lost, and clients have had time to read so
        self._responses = EncodedResponses()
        self._calls = LongCalls(caller if caller.kind is CallerKind.PRINCIPAL else None)
        self._connection = make_connection()
        self._connection.unparsed = self._connection.is_gateway  # their answers are checked by the conversation
        self._started = False
        self._lost = ""
        self._scopes = scopes
        self._caller = caller
        self._requests: PendingRequests[EndStream | None] = PendingRequests()
        self._related: Id | None = None
        self._outbox: asyncio.Queue[tuple[SessionMessage, int] | None] = asyncio.Queue()
        self._outbox_bytes = 0
        self._taken = asyncio.Event()
        self._taken.set()
        ready: asyncio.Future[Interceptor] = loop.create_future()
        ready.set_result(interceptor)
        self._conversation = Conversation(
            self._post,
            self._to_server,
            ready,
            on_stray_output=lambda _line: None,
            on_change=self._apply_backpressure,
            offer_resources=interceptor.resource_links,
            object_readers=self._connection.object_readers,
            listed_name=self._connection.listed_name,
            is_gateway=self._connection.is_gateway,
            caller=caller if caller.kind is CallerKind.PRINCIPAL else None,
            capacity=SendCapacity(lambda: self._connection.unsent_bytes if self._started else 0),
        )

    async def run(self) -> None:
        """Transfer messages until the client ends the session, is idle for too long, or the upstream is lost."""
        try:
            with self._scopes.enter(self._caller):
                async with self.transport.connect() as (received, sent):
                    self.connected.set()
                    writing = asyncio.ensure_future(self._write(sent.send))
                    reading = asyncio.ensure_future(self._read(received))
                    try:
                        with self.transport.idle_scope or anyio.CancelScope():
                            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        with anyio.CancelScope(shield=True):
                            # First, so that further requests are refused; else its streams look as if they had broken.
                            await self.transport.terminate()
                            for task in (reading, writing):
                                task.cancel()
                            await asyncio.wait({reading, writing})
        finally:
            self.connected.set()
            self._conversation.leave()
            self._events.close()
            with anyio.CancelScope(shield=True):
                if self._started:
                    await self._connection.close()
                await self.transport.terminate()

    # From the client

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request.

        Raises:
            UpstreamError: It waited for other long requests too long.
        """
        if scope["method"] == "POST":
            receive, send = await self._calls.shortened(receive, send)
        await self.transport.handle_request(scope, receive, self._responses.restored(send))

    async def _read(self, received: AsyncIterable[SessionMessage | Exception]) -> None:
        with suppress(anyio.ClosedResourceError):
            async for item in received:
                if not isinstance(item, Exception):
                    await self._handle_message(item)
                    del item  # An idle session would hold its last request.
                    await self._taken.wait()

    async def _handle_message(self, item: SessionMessage) -> None:
        message = _as_on_the_wire(item.message)
        long = self._calls.line_of(message)
        line = await adump_line(message) if long is None else long
        key = request_key(message)
        if self._lost:
            if key is not None:
                self._post(to_line(error_response(message["id"], self._lost)))
            return
        if key is not None:
            about = item.metadata
            end = about.on_request_unanswered if isinstance(about, ServerMessageMetadata) else None
            self._requests.add(message, end, key=key)
        if long is None:
            self._conversation.message_from_client(message, line)
        else:
            self._conversation.from_client(line, partial(refuse, self._post, message))
        if message.get("method") == CANCELLED:
            await self._end_stream(message)

    def _to_server(self, line: bytes, message: Any) -> None:
        if not self._started:
            try:
                self._connection.start(self._from_server, self._connection_ended, self._apply_backpressure)
            except UpstreamError as error:
                self._connection_ended(str(error))
                return
            self._started = True
        self._connection.send(line, message)

    def _apply_backpressure(self) -> None:
        """Read from each side only while the other side reads its messages."""
        if not self._started or self._lost:
            self._taken.set()
            return
        in_progress = self._conversation.bytes_in_progress > MAX_BYTES_IN_PROGRESS
        self._connection.set_paused(paused=in_progress or self._outbox_bytes >= HIGH_WATER)
        if in_progress or self._connection.backlog_bytes >= HIGH_WATER:
            self._taken.clear()
        else:
            self._taken.set()

    async def _end_stream(self, cancelled: Message) -> None:
        """Close the response stream of a request that will not be answered."""
        params = cancelled.get("params")
        key = id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
        if key is None:
            return
        request = self._requests.remove(self._requests.get(key))
        self._events.end(str(key[1]))
        if request is not None and request.requester is not None:
            await request.requester()

    # From the server

    def _from_server(self, line: bytes, related: Id | None) -> None:
        self._related = related
        with self._scopes.enter(self._caller):
            self._conversation.from_server(line, related if self._connection.is_gateway else None)
        self._related = None

    def _connection_ended(self, text: str) -> None:
        logger.warning("%s", text)
        self._lost = text
        self._conversation.abandon_own_requests()
        self._conversation.fail_all(text)
        # The missing session shows the client that it must open a new one, with a new upstream. Requests that arrive
        # before get the error too.
        asyncio.get_running_loop().call_later(FINAL_RESPONSE_SECONDS, self._refuse_requests)

    def _refuse_requests(self) -> None:
        self.is_over = True
        asyncio.get_running_loop().call_later(FINAL_RESPONSE_SECONDS, self._outbox.put_nowait, None)

    def _post(self, line: bytes) -> None:
        encoded = self._responses.of(line)
        if encoded is not None:
            self._requests.remove(self._requests.get(id_of({"id": encoded.id})))
            self._enqueue(encoded, None, len(line))
            return
        # The SDK cannot write what is not well-formed; lines of less than megabytes come so from the conversation.
        message = parse(line if len(line) <= PARSED_AT_ONCE else well_formed_line(line))
        if message is None and (key := find_response_id(line)) is not None:
            message = error_response(key[1], unreadable(line))  # A long one, which the conversation did not parse.
        for part in message if isinstance(message, list) else [message]:
            self._post_message(part, len(line))

    def _post_message(self, message: Any, size: int) -> None:
        if not isinstance(message, dict):
            return
        related: Id | None = None
        if is_response(message):
            self._requests.remove(self._requests.get(id_of(message)))
        elif size > MAX_EVENT_BYTES or is_deeper(message):
            drop(message, "too large or nested too deeply", self._to_server)
            return
        else:
            related = self._request_of(message)
        try:
            item = jsonrpc_message_adapter.validate_python(message, by_name=False)
        except ValidationError:
            drop(message, "malformed", self._to_server)
            return
        metadata = None
        if related is not None and isinstance(related[1], (str, int)):
            metadata = ServerMessageMetadata(related_request_id=related[1])
        self._enqueue(item, metadata, size)

    def _enqueue(self, item: JSONRPCMessage, metadata: ServerMessageMetadata | None, size: int) -> None:
        self._outbox_bytes += size
        self._outbox.put_nowait((SessionMessage(item, metadata), size))
        self._apply_backpressure()

    def _request_of(self, message: Message) -> Id | None:
        """Find the request to whose response stream a message of the server belongs; ``None`` for no request.

        If the transport does not show this, progress is assigned by its token, and other messages to the most recent
        request, so that they reach the client in any case.
        """
        if message["method"] in _OF_NO_REQUEST or not self._requests:
            return None
        if self._related is not None and self._related in self._requests:
            return self._related
        params = message.get("params")
        token = params.get(PROGRESS_TOKEN) if isinstance(params, dict) else None
        if token is not None:
            return next((each.key for each in self._requests if each.meta.get(PROGRESS_TOKEN) == token), None)
        return list(self._requests)[-1].key

    async def _write(self, send: Callable[[SessionMessage], Awaitable[None]]) -> None:
        while (waiting := await self._outbox.get()) is not None:
            item, size = waiting
            if isinstance(item.message, EncodedResponse):
                item = SessionMessage(await item.message.checked())
            self._events.expect(item.message, size)
            await send(item)
            del item, waiting  # An idle session would hold its last response.
            self._outbox_bytes -= size
            self._apply_backpressure()


def _as_on_the_wire(message: JSONRPCMessage) -> Message:
    """Wrap a message without validation or copies of its content, which may be large."""
    if isinstance(message, JSONRPCError):
        return message.model_dump(by_alias=True, exclude_unset=True)
    return {name: getattr(message, name) for name in type(message).model_fields if name in message.model_fields_set}
