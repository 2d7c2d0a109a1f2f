"""Targets of wrapping: a command or a URL, from the command line or a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from coatcheck.errors import SettingsError, excerpt
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.proxy.upstreams.process import ServerProcess
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.user_folders import why_no_file

if TYPE_CHECKING:
    import httpx2

UrlTransport = Literal["streamable-http", "sse"]


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """An MCP server over stdio."""

    command: tuple[str, ...]  # the program and its arguments
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # additional environment variables
    folder: str | None = None  # its working directory; by default ours

    @property
    def name(self) -> str:
        """The name of the command for messages."""
        return excerpt(" ".join(self.command[:1]))


@dataclass(frozen=True, slots=True)
class UrlTarget:
    """An MCP server over HTTP."""

    url: str  # its address
    transport: UrlTransport = "streamable-http"  # streamable HTTP, or the older transport of server-sent events
    # Headers of every request; their values may be secret and are never shown.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None  # certificates to trust instead of the default ones, in PEM format
    # Creates the authentication of a connection; `None` if the headers are sufficient.
    auth: "Callable[[], httpx2.Auth] | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse an invalid address.

        Raises:
            SettingsError: The URL is not an HTTP URL, or the file of certificates does not exist.
        """
        import httpx2  # slow to load, and not needed for commands

        try:
            parts = urlsplit(self.url)
            is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
            if is_url:
                httpx2.URL(self.url)
        except (ValueError, httpx2.InvalidURL):  # not shown: it may contain a password, and cannot be split into parts
            raise SettingsError("The URL is malformed; it begins with https://HOST or http://HOST:PORT.") from None
        if not is_url:
            raise SettingsError(
                f'"{excerpt(self.name)}" is not the URL of a server; it must begin with https:// or http://.'
            )
        if self.ca_file is not None and not self.ca_file.is_file():
            raise SettingsError(f"The file of certificates {self.ca_file} {why_no_file(self.ca_file)}.")

    @property
    def name(self) -> str:
        """The address without user, password and query, which may be secret."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


Target = CommandTarget | UrlTarget


def make_connection(
    target: Target, *, started: ServerProcess | None = None, verbose: bool = False
) -> UpstreamConnection:
    """Create a connection to a server; nothing is started or connected yet.

    ``started`` is its process, if it was started already.
    """
    if isinstance(target, CommandTarget):
        return ProcessConnection(
            target.command, environment=target.environment, folder=target.folder, started=started, verbose=verbose
        )
    auth = target.auth() if target.auth is not None else None
    if target.transport == "sse":
        from coatcheck.proxy.upstreams.sse import SseConnection

        return SseConnection(target.url, target.name, target.headers, target.ca_file, auth)
    from coatcheck.proxy.upstreams.streamable_http import StreamableHttpConnection

    return StreamableHttpConnection(target.url, target.name, target.headers, target.ca_file, auth)
