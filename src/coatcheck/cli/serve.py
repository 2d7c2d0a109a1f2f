"""``coatcheck serve``: a server with the object tools and those of toolsets."""

import asyncio
import ipaddress
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from coatcheck.authentication import Authentication, open_authentication
from coatcheck.cli.logs import announce
from coatcheck.cli.options import SettingsFlags, make_settings
from coatcheck.cli.toolset_flags import ExtraFlags, load_toolsets, toolset_options
from coatcheck.cli.web_server import address_of, bind, run_web_server
from coatcheck.collector import spare_what_is_loaded
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import running
from coatcheck.listening.draining import Draining
from coatcheck.listening.post_only import PostOnly
from coatcheck.monitoring.routes import Monitored, monitoring_routes
from coatcheck.server import configure_mcp_server
from coatcheck.wire.interceptor import INSTRUCTIONS

logger = logging.getLogger(__name__)

TRANSPORTS = ("stdio", "streamable-http", "sse")


@dataclass(frozen=True, slots=True)
class Listening:
    """How a server listens.

    Raises:
        SettingsError: An unknown transport, or an address that others can reach although nobody asks them who they are
            and no flag says that this is meant.
    """

    transport: str
    host: str
    port: int
    unprotected: bool = False
    authenticated: bool = False
    stateless: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.transport not in TRANSPORTS:
            raise SettingsError(f'There is no transport "{self.transport}"; there are: {", ".join(TRANSPORTS)}.')
        if self.stateless and self.transport != "streamable-http":
            raise SettingsError("--stateless goes with --transport streamable-http.")
        if self.transport == "stdio":
            if self.authenticated:
                raise SettingsError("Over stdio there are no tokens: --auth… goes with --transport streamable-http.")
            return
        if not (self.unprotected or self.authenticated or is_loopback(self.host)):
            raise SettingsError(
                f"--host {self.host} lets other machines in, and callers are not authenticated: whoever knows an "
                "object's id could read it. Authenticate them (--auth-tokens, --auth-jwks, --auth), listen on "
                "127.0.0.1 behind one that does, or add --unprotected."
            )


@dataclass(frozen=True, slots=True)
class AuthFlags:
    """What the command line says about who may call."""

    tokens: Path | None = None
    jwks: str | None = None
    issuer: str | None = None
    audience: str | None = None
    verifier: str | None = None

    def open(self) -> Authentication | None:
        """Make the verifier; ``None`` where no flag was given."""
        if self.verifier is not None:
            sys.path.insert(0, "")  # a module of one's own is looked for in the current folder first
        return open_authentication(
            tokens=self.tokens,
            jwks=self.jwks,
            issuer=self.issuer,
            audience=self.audience,
            verifier=self.verifier,
        )


def run_serve(
    flags: SettingsFlags,
    listening: Listening,
    toolset_names: Sequence[str],
    tool_names: Sequence[str] | None,
    extra: ExtraFlags,
    *,
    authentication: Authentication | None = None,
    verbose: bool,
) -> None:
    """Serve until the client goes away or the process is told to end."""
    toolsets = load_toolsets(toolset_names)
    options = toolset_options(toolsets, extra)
    container = Container(settings=make_settings(flags))
    # The SDK configures logging by itself when a server is made; it writes to stderr as well.
    server: MCPServer[Any] = MCPServer(
        "coatcheck",
        instructions=INSTRUCTIONS,
        log_level="INFO" if verbose else "WARNING",
        **(authentication.server_options() if authentication else {}),
    )
    spare_what_is_loaded()  # else what follows searches through it
    configure_mcp_server(server, tool_names, toolsets=toolsets, toolset_options=options, container=container)
    if listening.transport == "stdio":
        anyio.run(_serve_stdio, server, container)
        return
    told = asyncio.run(_serve_http(server, container, listening, verbose=verbose))
    if told is not None:
        # All is closed: end as every process does that is told to.
        signal.raise_signal(told)


async def _serve_stdio(server: MCPServer[Any], container: Container) -> None:
    async with running(container):
        spare_what_is_loaded()
        await server.run_stdio_async()


async def _serve_http(
    server: MCPServer[Any], container: Container, listening: Listening, *, verbose: bool
) -> int | None:
    """Serve until a signal ends it; give the signal."""
    # Any Host header: the address was opened to others on purpose, and by names that only they know.
    security = None if is_loopback(listening.host) else TransportSecuritySettings(enable_dns_rebinding_protection=False)
    application: ASGIApp
    async with running(container):
        if listening.transport == "sse":
            path, application = "/sse", server.sse_app(host=listening.host, transport_security=security)
        else:
            path = "/mcp"
            application = server.streamable_http_app(
                host=listening.host, transport_security=security, stateless_http=listening.stateless
            )
        if listening.stateless:
            application = PostOnly(application, path)
        draining = Draining(application)
        server.middleware.insert(0, draining.watch)
        bound = bind(listening)
        warn_of_open_tokens(listening)
        spare_what_is_loaded()
        announce(f"listening on {address_of(bound)}{path}")
        return await run_web_server(
            Monitored(draining, monitoring_routes(container)),
            draining,
            bound,
            container.health(),
            shutdown_seconds=container.settings().shutdown_timeout,
            lifespan=True,
            verbose=verbose,
        )


def warn_of_open_tokens(listening: Listening) -> None:
    """Say so where tokens can be read on their way: neither command speaks TLS itself."""
    if listening.authenticated and not is_loopback(listening.host):
        logger.warning("Tokens travel as they are: put a proxy that speaks TLS in front of %s.", listening.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
