"""The bodies of HTTP requests: read up to a bound, put together once, and handed on whole."""

import asyncio
from io import BytesIO

from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coatcheck.proxy.jsonrpc import error_response

LARGEST_BODY = 64 << 20
"""Bytes of a request's body."""

LINGER_SECONDS = 10.0
"""Seconds for which the rest of too large a body is taken and dropped: a client that still sends hears nothing."""

_TOO_LARGE = (
    f"The request is larger than {LARGEST_BODY >> 20} MiB, which is the most that is taken. Store the large value with "
    "object_store_put in parts, or let the server fetch it itself."
)


class WholeBodies:
    """An ASGI application that reads the body of each request before another one gets it, whole and in one event.

    Too large a body is refused; a client that goes away within its body is nobody to answer.

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
    size = int(declared) if declared.isdecimal() and int(declared) > LARGEST_BODY else 0
    more = True
    while more and size <= LARGEST_BODY:
        part, more = await _next(receive)
        size += len(part)
        body.write(part)
    if size > LARGEST_BODY:
        body.close()
        try:
            async with asyncio.timeout(LINGER_SECONDS):
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
