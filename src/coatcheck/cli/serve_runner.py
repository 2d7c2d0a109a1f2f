"""``coatcheck serve``: a server with the object tools and those of toolsets."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, TransportSecuritySettings
from starlette.types import ASGIApp

from coatcheck import __version__
from coatcheck.calls.instructions import instructions_for
from coatcheck.calls.long_messages import MAX_PROCESSED_BYTES
from coatcheck.cli.common_options import SettingsFlags, make_container, make_settings
from coatcheck.cli.listen_options import Listening, is_loopback
from coatcheck.cli.printing import print_table
from coatcheck.cli.terminal_notice import explain_waiting
from coatcheck.cli.web_server import run_web_server
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.containers import Container
from coatcheck.errors import output_failed
from coatcheck.mcp_server.authentication import Authentication
from coatcheck.proxy.front.asgi_middleware import BufferedBodies, DrainingApplication, PostOnly
from coatcheck.proxy.front.repaired_requests import repaired_stdin
from coatcheck.proxy.front.standard_streams import require_stdio, signals
from coatcheck.tools.registration import choose_tools
from coatcheck.tools.toolset import Toolset
from coatcheck.wiring.attaching import configure_mcp_server
from coatcheck.wiring.factories import merge_registries
from coatcheck.wiring.running import running
from coatcheck.wiring.validation import validate

logger = logging.getLogger(__name__)


def run_serve(
    flags: SettingsFlags,
    listening: Listening,
    toolsets: Sequence[Toolset],
    options: Mapping[str, Mapping[str, Any]],
    tool_names: Sequence[str] | None,
    *,
    authentication: Authentication | None = None,
    verbose: bool,
) -> None:
    """Serve until the client disconnects or a signal ends the process."""
    if flags.container is not None:
        container = make_container(flags)  # with its own settings, which toolsets do not change
    else:
        settings = make_settings(flags)
        for toolset in toolsets:
            settings = toolset.adapt(options.get(toolset.name), settings)
        container = Container(settings=settings)
    validate(container)
    object_tools = [name for name in container.object_tools() if tool_names is None or name in tool_names]
    # The SDK configures logging on its own when a server is created; it writes to stderr as well.
    server: MCPServer[Any] = MCPServer(
        "coatcheck",
        version=__version__,
        instructions=instructions_for(object_tools, filters=False),
        log_level="INFO" if verbose else "WARNING",
        **(authentication.server_options() if authentication else {}),
    )
    freeze_loaded_objects()  # otherwise the garbage collection below would search it
    configure_mcp_server(server, tool_names, toolsets=toolsets, toolset_options=options, container=container)
    if listening.transport == "stdio":
        require_stdio()
        anyio.run(_serve_stdio, server, container)
        return
    received = asyncio.run(_serve_http(server, container, listening, verbose=verbose))
    if received is not None:
        # Everything is closed: exit by the signal, like any process.
        signal.signal(received, signal.default_int_handler if received == signal.SIGINT else signal.SIG_DFL)
        signal.raise_signal(received)


def list_tools_of(
    flags: SettingsFlags,
    toolsets: Sequence[Toolset],
    options: Mapping[str, Mapping[str, Any]],
    tool_names: Sequence[str] | None,
) -> None:
    """Print the tools that a server would have: the name and first sentence of each on a line."""
    listings = [toolset.listing(options.get(toolset.name)) for toolset in toolsets]
    registry = merge_registries([make_container(flags).registry(), *listings])
    names = choose_tools(registry, tool_names)
    rows = []
    for name in names:
        first = " ".join((registry[name][0].__doc__ or "").split("\n\n")[0].split())
        rows.append([name, first.partition(". ")[0].rstrip(".") + "."])
    if rows:
        print_table(rows)


async def _serve_stdio(server: MCPServer[Any], container: Container) -> None:
    received: list[int] = []
    signalled = asyncio.Event()
    lost: OSError | None = None

    def end(number: int) -> None:
        received.append(number)
        signalled.set()

    async with running(container):
        freeze_loaded_objects()
        with repaired_stdin(), signals(end, lambda: container.settings().shutdown_timeout):
            explain_waiting()  # from here on, Ctrl-C stops the server gracefully
            serving = asyncio.ensure_future(server.run_stdio_async())
            waiting = asyncio.ensure_future(signalled.wait())
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not received:
                try:
                    await serving
                except* OSError as errors:
                    lost = _first(errors)
    if received:
        # The SDK reads stdin in a thread that cannot be interrupted: everything is closed, so exit without it.
        os._exit(128 + received[0])
    if isinstance(lost, BrokenPipeError):
        os._exit(0)  # The client no longer reads.
    if lost is not None:
        raise output_failed(lost)


def _first(errors: BaseExceptionGroup[OSError]) -> OSError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _serve_http(
    server: MCPServer[Any], container: Container, listening: Listening, *, verbose: bool
) -> int | None:
    """Serve until a signal; return the signal."""
    async with running(container):
        path, application = http_application(server, listening)
        draining = DrainingApplication(application)
        server.middleware.insert(0, draining.watch)
        return await run_web_server(draining, path, listening, container, lifespan=True, verbose=verbose)


def http_application(server: MCPServer[Any], listening: Listening) -> tuple[str, ASGIApp]:
    """Return a server as a web application, and its path."""
    # Any Host header: the address was exposed on purpose, under names that only its operator knows.
    security = None if is_loopback(listening.host) else TransportSecuritySettings(enable_dns_rebinding_protection=False)
    if listening.transport == "sse":
        return "/sse", _with_buffered_bodies(server.sse_app(host=listening.host, transport_security=security))
    application = server.streamable_http_app(
        host=listening.host, transport_security=security, stateless_http=listening.stateless
    )
    manager: Any = server.session_manager  # gets only requests whose token is valid
    manager.asgi_app = _with_buffered_bodies(manager.asgi_app)
    return "/mcp", PostOnly(application, "/mcp") if listening.stateless else application


def _with_buffered_bodies(application: ASGIApp) -> ASGIApp:
    # The SDK decodes each body as soon as it is complete.
    return BufferedBodies(application, DEFAULT_MAX_REQUEST_BODY_SIZE, MAX_PROCESSED_BYTES)
