"""The common parts of HTTP connections: the client, origins, and error texts."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from coatcheck.calls.long_messages import LONG_MESSAGE, LongMessages, Reading
from coatcheck.calls.nested_coatchecks import NESTED_HEADER, own_id
from coatcheck.errors import UpstreamError, quoted, quoted_name
from coatcheck.proxy.jsonrpc import parse, to_line, without_mark
from coatcheck.proxy.upstreams.base import OnMessage, OnPressure

logger = logging.getLogger(__name__)
C = TypeVar("C", bytes, str)

MAX_RESPONSE_BYTES = 256 << 20
"""Maximum bytes of a response or event, decompressed: twice the default maximum of an object."""

TOO_LARGE = f"it is larger than {MAX_RESPONSE_BYTES >> 20} MiB"
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""Content encodings that are decompressed in bounded chunks."""

REDIRECTS = frozenset({307, 308})
LINES_AT_ONCE = 16 << 10
"""Characters of a stream whose lines are read at a time: each may be one line."""

PART = 256 << 10
"""Bytes of a message that are passed to the connection at a time: what it cannot send immediately is copied again."""

CONNECT_TIMEOUT = 30.0
"""Seconds to connect and to send; a response may take as long as the client waits for it."""

_HINTS = {
    401: "Sign in with `coatcheck login URL`, or give a token: --token-variable NAME, or --header 'Authorization: "
    "$VARIABLE'.",
    403: "The token or address is not allowed there.",
    404: "Check the path of the URL; it often ends in /mcp.",
    405: "Check the URL; the older transport is chosen by --sse.",
    501: "Check the URL: what answers there is no MCP server.",
}

_REASONS = (
    ("All connection attempts failed", "nothing listens at that address. Check host and port, and that it runs"),
    ("not known", "there is no such host. Check the URL"),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS there. If that is right, the URL begins with http://"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is not trusted. If it is the right server, --ca-file names who signed it",
    ),
)
"""Messages of the underlying libraries and their explanations."""


class Flow:
    """The unsent bytes of a connection, and whether it may read."""

    def __init__(self) -> None:
        self.unsent: dict[int, int] = {}  # bytes of each message
        self.may_read = asyncio.Event()
        self.may_read.set()


class HttpConnection:
    """The common part of connections to a URL.

    ``name`` is the address without secrets; ``ca_file`` has certificates to trust instead of the default ones.
    """

    is_gateway = unparsed = False

    def __init__(
        self,
        url: str,
        name: str,
        headers: Mapping[str, str],
        ca_file: Path | None = None,
        auth: httpx2.Auth | None = None,
    ) -> None:
        self.name = name
        self.flow = Flow()
        self._url = httpx2.URL(url)  # parsed once, not for every request
        self._given = headers
        self._ca_file = ca_file
        self._auth = auth

    def _open_client(self, on_message: OnMessage, on_pressure: OnPressure) -> None:
        self._on_message, self._on_pressure = on_message, on_pressure
        self._client = open_client(self._given, self._ca_file, self._auth)

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading, so that the server cannot send more; see `UpstreamConnection`."""
        if paused:
            self.flow.may_read.clear()
        else:
            self.flow.may_read.set()

    exit_code = 0

    def stray_output(self, line: bytes) -> None:
        """Log the line; see `UpstreamConnection`."""
        logger.info("%s sent something that is not a message: %.200r", self.name, line)

    def object_readers(self) -> Mapping[str, str]:
        """Return none; see `UpstreamConnection`."""
        return {}

    def listed_name(self, tool: str) -> str:
        """Return the same name; see `UpstreamConnection`."""
        return tool

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the server has not read; see `UpstreamConnection`."""
        return sum(self.flow.unsent.values())

    @property
    def backlog_bytes(self) -> int:
        """The same without one long message; see `UpstreamConnection`."""
        return self.unsent_bytes - max(self.flow.unsent.values(), default=0)

    @asynccontextmanager
    async def _open(self, method: str, headers: dict[str, str], body: bytes | None) -> AsyncIterator[httpx2.Response]:
        """Send a request, and repeat it if the server redirects within its origin."""
        async with self._stream(method, headers, body) as response:
            moved = self._redirect_target(response)
            if moved is None:
                yield response
                return
        self._url = moved
        async with self._stream(method, headers, body) as response:
            yield response

    @asynccontextmanager
    async def _stream(self, method: str, headers: dict[str, str], body: bytes | None) -> AsyncIterator[httpx2.Response]:
        """Send a request; its bytes count as unsent until the server has read them."""
        if body is None:
            async with self._client.stream(method, self._url, headers=headers) as response:
                yield response
            return
        waits = len(body)

        def taken(size: int) -> None:
            nonlocal waits
            size = min(size, waits)
            waits -= size
            if size:
                self._count_unsent(taken, -size)

        self._count_unsent(taken, waits)

        headers = {**headers, "content-length": str(len(body))}
        try:
            async with self._client.stream(method, self._url, content=_Body(body, taken), headers=headers) as response:
                taken(waits)
                yield response
        finally:
            taken(waits)

    def _redirect_target(self, response: httpx2.Response) -> httpx2.URL | None:
        """Return the target of a redirect within the same origin, if a response is one."""
        if response.status_code not in REDIRECTS:
            return None
        moved = response.url.join(response.headers.get("location", ""))
        return moved if same_origin(str(self._url), str(moved)) else None

    def _count_unsent(self, message: object, size: int) -> None:
        """Change the number of a message's unsent bytes by ``size``."""
        left = self.flow.unsent.pop(id(message), 0) + size
        if left:
            self.flow.unsent[id(message)] = left
        self._on_pressure()


class _Body:
    """A request body in parts, which can be sent again after a sign-in."""

    def __init__(self, body: bytes, taken: Callable[[int], None]) -> None:
        self._body, self._taken = body, taken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), PART):
            part = self._body[start : start + PART]
            yield part
            self._taken(len(part))


def open_client(
    headers: Mapping[str, str], ca_file: Path | None, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    """Create a client without a read timeout and with unlimited connections.

    Raises:
        UpstreamError: The certificates cannot be read, or a header is malformed.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file is not None else True
        return httpx2.AsyncClient(
            headers={"accept-encoding": "gzip, deflate", NESTED_HEADER: own_id(), **headers},
            auth=auth,
            verify=context,
            timeout=httpx2.Timeout(CONNECT_TIMEOUT, read=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )
    except (OSError, ssl.SSLError) as error:
        raise UpstreamError(f"The certificates in {ca_file} cannot be used: {error}.") from error
    except ValueError:
        # The message of the cause may quote the header's value, which may be secret.
        raise UpstreamError(f"A header is malformed; there are: {', '.join(headers)}.") from None


def check_encoding(response: httpx2.Response) -> None:
    """Refuse a compressed response that could expand without a bound.

    Raises:
        ValueError: The encoding was not requested.
    """
    encodings = response.headers.get("content-encoding", "").lower()
    if not {encoding.strip() for encoding in encodings.split(",")} <= _ENCODINGS:
        raise ValueError("it sent a content encoding that was not asked for")


async def read_body(response: httpx2.Response) -> bytes:
    """Read a response's body, decompressed.

    Raises:
        ValueError: It is larger than `MAX_RESPONSE_BYTES`, or has an encoding that was not requested.
    """
    check_encoding(response)
    body = BytesIO()
    async for chunk in _LongReading().paced(response.aiter_bytes()):
        body.write(chunk)
    return body.getvalue()


async def read_events(response: httpx2.Response) -> AsyncIterator[httpx2.ServerSentEvent]:
    """Read the events of a response, decompressed.

    Raises:
        ValueError: It has an encoding that was not requested, or more than `MAX_RESPONSE_BYTES` without an event.
        httpx2.SSEError: An event is larger than `MAX_RESPONSE_BYTES`.
    """
    check_encoding(response)
    paced: Any = _PacedResponse(response)
    async for event in httpx2.EventSource(paced, max_event_size=MAX_RESPONSE_BYTES):
        paced.reading.restart()
        yield event


class _LongReading:
    """Pauses the reading of a long body or event while other long messages take too much memory."""

    def __init__(self) -> None:
        self._may_continue = asyncio.Event()
        self._reading = Reading(LongMessages.of_loop(), self._may_continue.set)
        self._size = 0

    def restart(self) -> None:
        """Count a new event."""
        self._reading.finish()
        self._size = 0

    async def paced(self, chunks: AsyncIterator[C]) -> AsyncIterator[C]:
        """Yield the same chunks, with turns for other tasks: what the server sent may expand to gigabytes of them.

        Raises:
            ValueError: The body, or what precedes the next event, is larger than `MAX_RESPONSE_BYTES`.
        """
        try:
            async for chunk in chunks:
                self._size += len(chunk)
                if self._size > MAX_RESPONSE_BYTES:
                    raise ValueError(TOO_LARGE)
                if self._size > LONG_MESSAGE:
                    self._may_continue.clear()
                    if not self._reading.grow_to(self._size):
                        await self._may_continue.wait()
                yield chunk
                if self._size > LINES_AT_ONCE:
                    await asyncio.sleep(0)
        finally:
            self._reading.finish()


class _PacedResponse:
    """What a reader of events uses of a response."""

    def __init__(self, response: httpx2.Response) -> None:
        self.headers, self.request, self._chunks = response.headers, response.request, response.aiter_text
        self.reading = _LongReading()

    async def aiter_text(self) -> AsyncIterator[str]:
        async for chunk in self.reading.paced(self._chunks()):
            for start in range(0, len(chunk), LINES_AT_ONCE):
                yield chunk[start : start + LINES_AT_ONCE]
                if start:
                    await asyncio.sleep(0)


def one_line(data: bytes) -> bytes:
    """Join a message that may span several lines into one line."""
    stripped = without_mark(data).strip()
    return to_line(parse(stripped)) if b"\n" in stripped or b"\r" in stripped else stripped + b"\n"


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same origin."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


def unreachable(name: str, error: Exception) -> str:
    """Explain why a server cannot be reached."""
    if isinstance(error, httpx2.SSEError):
        error = ValueError(TOO_LARGE)
    if isinstance(error, ValueError):
        return f"The response of the server {name} cannot be used: {error}."
    words = str(error) or type(error).__name__
    reason = next((meaning for sign, meaning in _REASONS if sign in words), quoted(words, 200))
    return f"The server {name} cannot be reached: {reason}."


def not_mcp(name: str, kind: str) -> str:
    """Report that the response is not MCP."""
    return f"The server {name} answered with {quoted_name(kind)}, which is no MCP. Check the path of the URL."


def refusal(name: str, response: httpx2.Response) -> str:
    """Explain why a server refused."""
    if response.has_redirect_location:
        return f"The server {name} has moved to another address: use that one's URL."
    hint = _HINTS.get(response.status_code, "")
    # Not the reason phrase of the response, which could contain instructions.
    phrase = next((status.phrase for status in HTTPStatus if status == response.status_code), "")
    words = f"The server {name} refused with HTTP {response.status_code} {phrase}".rstrip()
    return f"{words}. {hint}".rstrip()
