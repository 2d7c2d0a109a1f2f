"""What all links over HTTP share: the client, origins, and words for a refusal."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from coatcheck.errors import UpstreamError

CONNECT_TIMEOUT = 30.0
"""Seconds to connect and to send; an answer may take as long as the client waits for it."""

_HINTS = {
    401: "It wants a token: --token-variable NAME, or --header 'Authorization: $VARIABLE'.",
    403: "The token or address is not allowed there.",
    404: "Check the path of the URL; it often ends in /mcp.",
    405: "Check the URL; the older transport is chosen by --sse.",
}


def open_client(headers: Mapping[str, str], ca_file: Path | None) -> httpx2.AsyncClient:
    """Make a client that waits for answers without end and holds as many connections as there are requests.

    Raises:
        UpstreamError: The certificates cannot be read, or a header is malformed.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file is not None else True
        return httpx2.AsyncClient(
            headers=dict(headers),
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


def refusal(name: str, response: httpx2.Response) -> str:
    """Say that and why a server refused."""
    if response.is_redirect:
        return f"The server {name} has moved to another address: use that one's URL."
    hint = _HINTS.get(response.status_code, "")
    words = f"The server {name} refused with HTTP {response.status_code} {response.reason_phrase}".rstrip()
    return f"{words}. {hint}".rstrip()
