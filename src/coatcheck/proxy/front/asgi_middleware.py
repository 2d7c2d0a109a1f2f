"""ASGI middleware that buffers request bodies up to a bound."""

import asyncio
from io import BytesIO

from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coatcheck.proxy.jsonrpc import error_response

MAX_BODY_BYTES = 64 << 20
"""Bytes of a request's body."""

DRAIN_SECONDS = 10.0
"""Seconds for which the rest of too large a body is taken and dropped: a client that still sends hears nothing."""

_TOO_LARGE = (
    f"The request is larger than {MAX_BODY_BYTES >> 20} MiB, the largest body accepted. Store the large value with "
    "object_store_put in parts, or let the server fetch it itself."
)


class BufferedBodies:
    """Reads the whole body of each request before the application gets it, in one event.

    Refuses too large a body; drops the request of a client that disconnects.

    Args:
        application: Answers the requests.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body: bytes | None = await _read(Headers(scope=scope).get("content-length", ""), receive)
        except _TooLargeError:
            refusal = JSONResponse(error_response(None, _TOO_LARGE, INVALID_REQUEST), 413, {"connection": "close"})
            await refusal(scope, receive, send)
            return
        except _LeftError:
            return

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            event, body = {"type": "http.request", "body": body, "more_body": False}, None
            return event

        await self._application(scope, replay, send)


class _TooLargeError(Exception):
    """A body is too large."""


class _LeftError(Exception):
    """The client went away within its body."""


async def _read(declared: str, receive: Receive) -> bytes:
    body = BytesIO()  # Gives away its value without copying it.
    size = int(declared) if declared.isdecimal() and int(declared) > MAX_BODY_BYTES else 0
    more = True
    while more and size <= MAX_BODY_BYTES:
        part, more = await _next(receive)
        size += len(part)
        body.write(part)
    if size > MAX_BODY_BYTES:
        body.close()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while more:
                    _, more = await _next(receive)
        except TimeoutError:
            pass
        raise _TooLargeError
    return body.getvalue()


async def _next(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] != "http.request":
        raise _LeftError
    return event.get("body", b""), event.get("more_body", False)
