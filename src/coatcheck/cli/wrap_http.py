"""``coatcheck wrap --transport streamable-http``: servers over HTTP for many clients."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from coatcheck.cli.listen_options import Listening, is_loopback, warn_of_open_tokens
from coatcheck.cli.logs import announce
from coatcheck.cli.options import SettingsFlags, make_container
from coatcheck.cli.web_server import address_of, bind, run_web_server
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.monitoring.http_routes import Monitored, monitoring_routes
from coatcheck.proxy.front.asgi_middleware import DrainingApplication
from coatcheck.proxy.front.http_application import PATH, Application
from coatcheck.proxy.upstreams.process import kill_servers
from coatcheck.wiring.running import running
from coatcheck.wiring.validation import validate

if TYPE_CHECKING:
    from coatcheck.mcp_server.authentication import Authentication
    from coatcheck.proxy.upstreams.base import UpstreamConnection


def run_wrap_http(
    make_connection: Callable[[], "UpstreamConnection"],
    settings: SettingsFlags,
    listening: Listening,
    authentication: "Authentication | None",
    *,
    resource_links: bool,
    verbose: bool,
) -> int:
    """Serve upstream connections over HTTP until a signal; return the exit code."""
    container = make_container(settings)
    validate(container)

    async def serve() -> int | None:
        async with running(container):
            application = Application(
                make_connection,
                container.proxy_interceptor(resource_links=resource_links),
                container.tenancy(),
                loopback=is_loopback(listening.host),
                stateless=listening.stateless,
                verifier=None if authentication is None else authentication.verifier,
                max_caller_sessions=container.settings().max_caller_sessions,
            )
            freeze_loaded_objects()
            draining = DrainingApplication(application)
            bound = bind(listening)
            warn_of_open_tokens(listening)
            announce(f"listening on {address_of(bound)}{PATH}")
            async with application.running():
                return await run_web_server(
                    Monitored(draining, monitoring_routes(container)),
                    draining,
                    bound,
                    container.health(),
                    shutdown_seconds=container.settings().shutdown_timeout,
                    lifespan=False,
                    verbose=verbose,
                )

    try:
        received = asyncio.run(serve())
    finally:
        kill_servers()  # None is left, unless the graceful shutdown failed.
    return 128 + received if received else 0
