"""What all connections over HTTP share: the client, origins, and error texts."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from coatcheck.errors import UpstreamError
from coatcheck.proxy.upstreams.base import OnMessage, OnPressure

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
"""Seconds to connect and to send; an answer may take as long as the client waits for it."""

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
"""Words of the libraries below us, and what they mean to a person."""


class HttpConnection:
    """The common part of connections to a URL.

    Args:
        url: The server's address.
        name: The address as it may be shown.
        headers: Headers of every request.
        ca_file: Certificates to trust in place of the usual ones.
        auth: Signs requests.
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
        self.unsent_bytes = 0
        self._sizes: dict[int, int] = {}  # what waits of each message
        self._url = httpx2.URL(url)  # parsed once, not for every request
        self._given = headers
        self._ca_file = ca_file
        self._auth = auth

    def _open_client(self, on_message: OnMessage, on_pressure: OnPressure) -> None:
        self._on_message, self._on_pressure = on_message, on_pressure
        self._client = open_client(self._given, self._ca_file, self._auth)
        self._flowing = asyncio.Event()
        self._flowing.set()

    def hold(self, *, held: bool) -> None:
        """Pause or resume reading, so that the server cannot send more; see `UpstreamConnection`."""
        if held:
            self._flowing.clear()
        else:
            self._flowing.set()

    exit_code = 0

    def stray_output(self, line: bytes) -> None:
        """Log the line; see `UpstreamConnection`."""
        logger.info("%s sent something that is not a message: %.200r", self.name, line)

    @property
    def backlog_bytes(self) -> int:
        """What waits beside one long message; see `UpstreamConnection`."""
        return self.unsent_bytes - max(self._sizes.values(), default=0)

    def _waits(self, message: object, size: int) -> None:
        """Note that so much more, or less, of a message waits."""
        self.unsent_bytes += size
        left = self._sizes.pop(id(message), 0) + size
        if left:
            self._sizes[id(message)] = left
        self._on_pressure()


def open_client(
    headers: Mapping[str, str], ca_file: Path | None, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    """Make a client without a read timeout, with as many connections as there are requests.

    Raises:
        UpstreamError: The certificates cannot be read, or a header is malformed.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file is not None else True
        return httpx2.AsyncClient(
            headers=dict(headers),
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


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs lead to the same server."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


def unreachable(name: str, error: Exception) -> str:
    """Say that and why a server cannot be reached."""
    words = str(error) or type(error).__name__
    reason = next((meaning for sign, meaning in _REASONS if sign in words), words.rstrip("."))
    return f"The server {name} cannot be reached: {reason}."


def no_mcp(name: str, kind: str) -> str:
    """Say that the response is not MCP."""
    return f'The server {name} answered with "{kind}", which is no MCP. Check the path of the URL.'


def refusal(name: str, response: httpx2.Response) -> str:
    """Say that and why a server refused."""
    if response.is_redirect:
        return f"The server {name} has moved to another address: use that one's URL."
    hint = _HINTS.get(response.status_code, "")
    words = f"The server {name} refused with HTTP {response.status_code} {response.reason_phrase}".rstrip()
    return f"{words}. {hint}".rstrip()
