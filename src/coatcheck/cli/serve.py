"""``coatcheck serve``: a server with the object tools and those of toolsets."""

import ipaddress
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from coatcheck.cli.options import SettingsFlags, make_settings
from coatcheck.cli.toolset_flags import ExtraFlags, toolset_options
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import running
from coatcheck.server import configure_mcp_server
from coatcheck.toolsets import load_toolset
from coatcheck.wire.interceptor import INSTRUCTIONS

TRANSPORTS = ("stdio", "streamable-http", "sse")


@dataclass(frozen=True, slots=True)
class Listening:
    """How a server listens.

    Raises:
        SettingsError: An unknown transport, or an address that others can reach without the flag that says so.
    """

    transport: str
    host: str
    port: int
    unprotected: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.transport not in TRANSPORTS:
            raise SettingsError(f'There is no transport "{self.transport}"; there are: {", ".join(TRANSPORTS)}.')
        if self.transport != "stdio" and not self.unprotected and not _is_loopback(self.host):
            raise SettingsError(
                f"--host {self.host} lets other machines in, and callers are not authenticated: whoever knows an "
                "object's id could read it. Listen on 127.0.0.1 behind one that authenticates, or add --unprotected."
            )


def run_serve(
    flags: SettingsFlags,
    listening: Listening,
    toolset_names: Sequence[str],
    tool_names: Sequence[str] | None,
    extra: ExtraFlags,
    *,
    verbose: bool,
) -> None:
    """Serve until the client goes away or the process is told to end."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING)
    if any(":" in name for name in toolset_names):
        sys.path.insert(0, "")  # a module of one's own is looked for in the current folder first
    toolsets = [load_toolset(name) for name in toolset_names]
    options = toolset_options(toolsets, extra)
    container = Container(settings=make_settings(*flags))
    # The SDK configures logging by itself when a server is made; it writes to stderr as well.
    server: MCPServer[Any] = MCPServer(
        "coatcheck", instructions=INSTRUCTIONS, log_level="INFO" if verbose else "WARNING"
    )
    configure_mcp_server(server, tool_names, toolsets=toolsets, toolset_options=options, container=container)
    anyio.run(_serve, server, container, listening)


async def _serve(server: MCPServer[Any], container: Container, listening: Listening) -> None:
    async with running(container):
        if listening.transport == "stdio":
            await server.run_stdio_async()
            return
        security = None
        if not _is_loopback(listening.host):
            # Any Host header: the address was opened to others on purpose, and by names that only they know.
            security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        if listening.transport == "sse":
            await server.run_sse_async(host=listening.host, port=listening.port, transport_security=security)
        else:
            await server.run_streamable_http_async(
                host=listening.host, port=listening.port, transport_security=security
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
