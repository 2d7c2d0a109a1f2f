"""ASGI middleware for any MCP application: Host check, request bodies, POST only, graceful shutdown."""

import asyncio
from contextlib import suppress
from io import BytesIO
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coatcheck.calls.long_messages import LongMessages, Reading
from coatcheck.proxy.jsonrpc import error_response
from coatcheck.proxy.request_lines import needs_repair, repaired, well_formed_request

MAX_BODY_BYTES = 64 << 20
"""Maximum bytes of a request body, unless the application accepts less."""

BODY_TIMEOUT = 120.0
"""Seconds within which a request body must be complete."""

IDLE_BODY_TIMEOUT = 20.0
"""Maximum seconds between two parts of a body."""

SHORT_BODY_BYTES = 64 << 10
"""Bytes above which a body is long: only one long body is read at each iteration of the event loop."""

MAX_BUFFERED_BYTES = 256 << 20
"""Bytes of all long bodies together, until their responses are sent, above which reading of further ones pauses."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

DRAIN_SECONDS = 10.0
"""Seconds for which the rest of an oversized body is read and dropped, because a sending client reads no response."""

_TOO_LARGE = (
    "The request is larger than {} MiB, the largest body accepted. Store the large value with object_store_put in "
    "parts, or let the server fetch it itself."
)

_TOO_SLOW = f"The body did not arrive in time: {IDLE_BODY_TIMEOUT:g} s between two parts, {BODY_TIMEOUT:g} s in all."
_BUSY = "Too many large requests are being processed; try again later."

SETTLE_SECONDS = 0.1
"""Seconds for which open streams still deliver messages of the last call."""

_LISTEN = b"subscriptions/listen"


class LoopbackHosts:
    """Refuses requests whose Host header does not name this machine, against DNS rebinding."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name.lower() not in LOOPBACK_HOSTS:
                await PlainTextResponse("Invalid Host header", 421)(scope, receive, send)
                return
        await self._application(scope, receive, send)


class BufferedBodies:
    """Reads the whole body of each request before the application gets it, in one event.

    Refuses an oversized body; drops the request of a client that disconnects.

    Args:
        application: Answers the requests.
        max_body: Maximum bytes of one body.
        max_buffered: See ``MAX_BUFFERED_BYTES``.
    """

    def __init__(
        self, application: ASGIApp, max_body: int = MAX_BODY_BYTES, max_buffered: int = MAX_BUFFERED_BYTES
    ) -> None:
        self._application = application
        self._max_body = max_body
        self._bodies = LongMessages(most_held=max_buffered)
        self._gate = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        may_continue = asyncio.Event()
        reading = Reading(self._bodies, may_continue.set)
        try:
            await self._serve(scope, receive, send, reading, may_continue)
        finally:
            reading.finish()

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, reading: Reading, may_continue: asyncio.Event
    ) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        try:
            body: bytes | None = await self._read(declared, receive, reading, may_continue)
        except _TooLargeError:
            await _refuse(413, _TOO_LARGE.format(self._max_body >> 20))(scope, receive, send)
            return
        except _DisconnectedError:
            return
        except TimeoutError:
            await _refuse(408, _TOO_SLOW)(scope, receive, send)
            return
        except _BuffersFullError:
            await _drain(receive)
            await _refuse(503, _BUSY)(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            event, body = {"type": "http.request", "body": body, "more_body": False}, None
            return event

        await self._application(scope, replay, send)

    async def _read(self, declared: str, receive: Receive, reading: Reading, may_continue: asyncio.Event) -> bytes:
        size = int(declared) if declared.isdecimal() and int(declared) > self._max_body else 0
        body, more = BytesIO(), True  # Returns its value without a copy.
        is_paused = False
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while more and size <= self._max_body:
                    if size > SHORT_BODY_BYTES:
                        async with self._gate:
                            await asyncio.sleep(0)  # so that small requests come between
                    async with asyncio.timeout(IDLE_BODY_TIMEOUT):
                        part, more = await _next(receive)
                    size += len(part)
                    body.write(part)
                    may_continue.clear()
                    if more and body.tell() > SHORT_BODY_BYTES and not reading.grow_to(body.tell()):
                        is_paused = True
                        await may_continue.wait()
                        is_paused = False
        except TimeoutError:
            if is_paused:
                raise _BuffersFullError from None
            raise
        if size > self._max_body:
            body.close()
            if more:
                await _drain(receive)
            raise _TooLargeError
        if size > SHORT_BODY_BYTES:
            reading.complete(size)
        line = body.getvalue()
        return await repaired(line) if needs_repair(line) else well_formed_request(line)


class _TooLargeError(Exception):
    """A body is too large."""


class _BuffersFullError(Exception):
    """Too many long bodies are being read and processed."""


class _DisconnectedError(Exception):
    """The client disconnected while it sent its body."""


async def _drain(receive: Receive) -> None:
    """Read and drop the rest of a body, so that a client that still sends reads the refusal."""
    with suppress(TimeoutError, _DisconnectedError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await _next(receive))[1]:
                pass


def _refuse(status: int, text: str) -> JSONResponse:
    return JSONResponse(error_response(None, text, INVALID_REQUEST), status, {"connection": "close"})


async def _next(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] != "http.request":
        raise _DisconnectedError
    return event.get("body", b""), event.get("more_body", False)


class PostOnly:
    """An ASGI application that accepts only POST at one path.

    The SDK would hold open a stream for each client that requests one, although no message could be sent on it.
    """

    def __init__(self, application: ASGIApp, path: str) -> None:
        self._application = application
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"].rstrip("/") == self._path and scope["method"] != "POST":
            text = "There are neither streams nor sessions here, only POST (--stateless).\n"
            await PlainTextResponse(text, 405, headers={"Allow": "POST"})(scope, receive, send)
        else:
            await self._application(scope, receive, send)


class DrainingApplication:
    """An ASGI application that tracks requests in flight and can close streams that never end on their own.

    Listening streams are the responses to ``GET`` and to subscriptions. They are closed once nothing else is in flight,
    because they may carry the responses to calls.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._in_flight = 0
        self._over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Close listening streams as soon as nothing else is in flight."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())

    async def watch(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Count a call as in flight: middleware for servers whose transport responds on a listening stream."""
        if ctx.request_id is None or ctx.method.encode() == _LISTEN:
            return await call_next(ctx)
        self._in_flight += 1
        try:
            return await call_next(ctx)
        finally:
            self._in_flight -= 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif _is_listening_stream(scope):
            await self._serve_stream(scope, receive, send)
        else:
            self._in_flight += 1
            try:
                await self._application(scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _end(self) -> None:
        idle = False
        while not idle:
            idle = self._in_flight == 0
            await asyncio.sleep(SETTLE_SECONDS)
            idle = idle and self._in_flight == 0
        self._over.set()

    async def _serve_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = completed = over = False

        async def received() -> Message:
            nonlocal over
            # At the end, report the client as disconnected, which ends every stream in the usual way.
            receiving, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(self._over.wait())
            try:
                await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    return receiving.result()
                over = True
                return {"type": "http.disconnect"}
            finally:
                for task in (receiving, ending):
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(receiving, ending, return_exceptions=True)

        async def sent(event: Message) -> None:
            nonlocal started, completed
            if over:
                return
            started = started or event["type"] == "http.response.start"
            completed = event["type"] == "http.response.body" and not event.get("more_body", False)
            await send(event)

        await self._application(scope, received, sent)
        if started and not completed:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_listening_stream(scope: Scope) -> bool:
    return scope["method"] == "GET" or (b"mcp-method", _LISTEN) in scope["headers"]
