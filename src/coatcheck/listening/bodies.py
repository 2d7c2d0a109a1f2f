"""The body of an HTTP request: read up to a bound, and put together once."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

LARGEST_BODY = 64 << 20
"""Bytes of a request's body."""


class TooLargeError(Exception):
    """A body is larger than what is read of one."""


async def read_body(request: Request, receive: Receive) -> bytes:
    """Read a request's body.

    Raises:
        TooLargeError: It is too large; as little of it was read as showed that.
        ClientDisconnect: The client went away before all of it was there.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > LARGEST_BODY:
        raise TooLargeError
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientDisconnect
        part = event.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise TooLargeError
        if part:
            parts.append(part)
        if not event.get("more_body", False):
            return b"".join(parts)
