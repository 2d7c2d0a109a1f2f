"""ASGI middleware that buffers request bodies up to a bound."""

import asyncio
from contextlib import suppress
from io import BytesIO

from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coatcheck.proxy.jsonrpc import error_response

MAX_BODY_BYTES = 64 << 20
"""Bytes of a request's body."""

BODY_TIMEOUT = 120.0
"""Seconds in which a request's body must be complete."""

IDLE_BODY_TIMEOUT = 20.0
"""Seconds between two parts of a body."""

MAX_BUFFERED_BYTES = 256 << 20
"""Bytes of all incomplete bodies together."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

DRAIN_SECONDS = 10.0
"""Seconds for which the rest of too large a body is taken and dropped: a client that still sends hears nothing."""

_TOO_LARGE = (
    f"The request is larger than {MAX_BODY_BYTES >> 20} MiB, the largest body accepted. Store the large value with "
    "object_store_put in parts, or let the server fetch it itself."
)

_TOO_SLOW = f"The body did not arrive in time: {IDLE_BODY_TIMEOUT:g} s between two parts, {BODY_TIMEOUT:g} s in all."
_BUSY = "Too many requests are being received; try again later."


class LoopbackHosts:
    """Refuses requests whose Host header does not name this machine, against DNS rebinding.

    Args:
        application: Answers the other requests.
    """

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

    Refuses too large a body; drops the request of a client that disconnects.

    Args:
        application: Answers the requests.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body: bytes | None = await self._read(Headers(scope=scope).get("content-length", ""), receive)
        except _TooLargeError:
            await _refuse(413, _TOO_LARGE)(scope, receive, send)
            return
        except _LeftError:
            return
        except TimeoutError:
            await _refuse(408, _TOO_SLOW)(scope, receive, send)
            return
        except _BusyError:
            await _refuse(503, _BUSY)(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            event, body = {"type": "http.request", "body": body, "more_body": False}, None
            return event

        await self._application(scope, replay, send)

    async def _read(self, declared: str, receive: Receive) -> bytes:
        size = int(declared) if declared.isdecimal() and int(declared) > MAX_BODY_BYTES else 0
        body, more = BytesIO(), True  # Gives away its value without copying it.
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while more and size <= MAX_BODY_BYTES:
                    async with asyncio.timeout(IDLE_BODY_TIMEOUT):
                        part, more = await _next(receive)
                    size += len(part)
                    self._buffered += len(part)
                    body.write(part)
                    if more and self._buffered > MAX_BUFFERED_BYTES:
                        raise _BusyError
        finally:
            self._buffered -= body.tell()
        if size > MAX_BODY_BYTES:
            body.close()
            if more:
                await _drain(receive)
            raise _TooLargeError
        return body.getvalue()


class _TooLargeError(Exception):
    """A body is too large."""


class _BusyError(Exception):
    """Too many incomplete bodies are buffered."""


class _LeftError(Exception):
    """The client went away within its body."""


async def _drain(receive: Receive) -> None:
    """Take and drop the rest of a body, so that a client that still sends reads the refusal."""
    with suppress(TimeoutError, _LeftError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await _next(receive))[1]:
                pass


def _refuse(status: int, text: str) -> JSONResponse:
    return JSONResponse(error_response(None, text, INVALID_REQUEST), status, {"connection": "close"})


async def _next(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] != "http.request":
        raise _LeftError
    return event.get("body", b""), event.get("more_body", False)
