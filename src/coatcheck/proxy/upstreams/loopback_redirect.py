"""Receives the redirect that ends a sign-in in the browser, on a loopback address (RFC 8252)."""

import asyncio
import html
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit

PATH = "/callback"
_MOST_BYTES = 16_384
_SECONDS = 10.0

_PAGE = """<!doctype html><meta charset="utf-8"><title>coatcheck</title>
<body style="font: 16px sans-serif; margin: 4em">
<h1>{title}</h1><p>{text}</p>"""


class LoopbackRedirect:
    """A server on 127.0.0.1 that waits for one redirect."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._state: str | None = None
        self._answer: asyncio.Future[dict[str, str]] | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=_MOST_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop to listen."""
        assert self._server is not None  # noqa: S101  # it was entered
        self._server.close()

    @property
    def uri(self) -> str:
        """The redirect URI."""
        return f"http://127.0.0.1:{self._port}{PATH}"

    def expect(self, authorization_url: str) -> None:
        """Accept only the redirect of this request, because other pages can send requests here too."""
        self._state = parse_qs(urlsplit(authorization_url).query).get("state", [""])[0]

    async def wait(self) -> dict[str, str]:
        """Wait for the redirect and return its query: ``code``, ``state`` and perhaps ``iss``, or ``error``."""
        assert self._answer is not None  # noqa: S101  # it was entered
        return await asyncio.shield(self._answer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, page = self._reply(head.split(b"\r\n", 1)[0].decode("latin-1"))
                body = page.encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
                    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    def _reply(self, request_line: str) -> tuple[str, str]:
        method, _, rest = request_line.partition(" ")
        target = rest.partition(" ")[0]
        parts = urlsplit(target)
        if method != "GET" or parts.path != PATH:
            return "404 Not Found", _PAGE.format(title="Not found", text="Nothing is here.")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert self._answer is not None  # noqa: S101  # it was entered
        if not self._state or query.get("state") != self._state:
            return "400 Bad Request", _PAGE.format(title="Not the expected answer", text="Start the sign-in again.")
        if not self._answer.done():
            self._answer.set_result(query)
        if "error" in query:
            reason = html.escape(query.get("error_description", query["error"])[:500])
            return "200 OK", _PAGE.format(title="Not signed in", text=reason)
        return "200 OK", _PAGE.format(title="Signed in", text="You can close this window.")
