"""``coatcheck wrap --transport streamable-http``: servers over HTTP for many clients."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from coatcheck.cli.logs import announce
from coatcheck.cli.serve import AuthFlags, Listening, is_loopback, warn_of_open_tokens
from coatcheck.cli.web_server import address_of, bind, run_web_server
from coatcheck.cli.wrap import WrapFlags, make_interceptor
from coatcheck.collector import spare_what_is_loaded
from coatcheck.lifecycle import running
from coatcheck.listening.application import PATH, Application
from coatcheck.listening.draining import Draining
from coatcheck.monitoring.routes import Monitored, monitoring_routes

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.proxy.links import Link


async def serve_http(
    make_link: Callable[[], "Link"],
    container: "Container",
    flags: WrapFlags,
    listening: Listening,
    authentication: AuthFlags,
) -> int:
    """Serve until a signal ends it; give the exit code."""
    verifier = authentication.open()
    async with running(container):
        application = Application(
            make_link,
            make_interceptor(container, flags),
            container.scopes(),
            loopback=is_loopback(listening.host),
            stateless=listening.stateless,
            verifier=None if verifier is None else verifier.verifier,
            most_sessions=container.settings().max_caller_sessions,
        )
        spare_what_is_loaded()
        draining = Draining(application)
        bound = bind(listening)
        warn_of_open_tokens(listening)
        announce(f"listening on {address_of(bound)}{PATH}")
        async with application.running():
            told = await run_web_server(
                Monitored(draining, monitoring_routes(container)),
                draining,
                bound,
                container.health(),
                shutdown_seconds=container.settings().shutdown_timeout,
                lifespan=False,
                verbose=flags.verbose,
            )
    return 128 + told if told else 0
