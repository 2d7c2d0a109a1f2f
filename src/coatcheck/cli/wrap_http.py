"""``coatcheck wrap --transport streamable-http``: servers over HTTP for many clients."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from coatcheck.cli.listen_options import AuthFlags, Listening, is_loopback, warn_of_open_tokens
from coatcheck.cli.logs import announce
from coatcheck.cli.web_server import address_of, bind, run_web_server
from coatcheck.cli.wrap_runner import WrapFlags, make_container, make_interceptor
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.monitoring.http_routes import Monitored, monitoring_routes
from coatcheck.proxy.front.asgi_middleware import DrainingApplication
from coatcheck.proxy.front.http_application import PATH, Application
from coatcheck.proxy.upstreams.process import kill_servers
from coatcheck.wiring.running import running

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.proxy.upstreams.base import UpstreamConnection


def run_wrap_http(
    make_connection: Callable[[], "UpstreamConnection"],
    flags: WrapFlags,
    listening: Listening,
    authentication: AuthFlags,
) -> int:
    """Serve upstream connections over HTTP until a signal."""
    container = make_container(flags)
    try:
        return asyncio.run(serve_http(make_connection, container, flags, listening, authentication))
    finally:
        kill_servers()  # None is left, unless the graceful shutdown failed.


async def serve_http(
    make_connection: Callable[[], "UpstreamConnection"],
    container: "Container",
    flags: WrapFlags,
    listening: Listening,
    authentication: AuthFlags,
) -> int:
    """Serve until a signal; return the exit code."""
    verifier = authentication.open()
    async with running(container):
        application = Application(
            make_connection,
            make_interceptor(container, flags),
            container.tenancy(),
            loopback=is_loopback(listening.host),
            stateless=listening.stateless,
            verifier=None if verifier is None else verifier.verifier,
            max_caller_sessions=container.settings().max_caller_sessions,
        )
        freeze_loaded_objects()
        draining = DrainingApplication(application)
        bound = bind(listening)
        warn_of_open_tokens(listening)
        announce(f"listening on {address_of(bound)}{PATH}")
        async with application.running():
            received = await run_web_server(
                Monitored(draining, monitoring_routes(container)),
                draining,
                bound,
                container.health(),
                shutdown_seconds=container.settings().shutdown_timeout,
                lifespan=False,
                verbose=flags.verbose,
            )
    return 128 + received if received else 0
