"""``coatcheck wrap --transport streamable-http``: servers over HTTP for many clients."""

import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from coatcheck.cli.serve import AuthFlags, Listening, is_loopback
from coatcheck.cli.wrap import WrapFlags, make_interceptor
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import running
from coatcheck.listening.application import PATH, Application
from coatcheck.monitoring.routes import Monitored, monitoring_routes
from coatcheck.proxy.own_stdio import signals

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.proxy.links import Link

SHUTDOWN_SECONDS = 2
BACKLOG = 256


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
        )
        bound = _bind(listening)
        host, port = bound.getsockname()[:2]
        sys.stderr.write(f"coatcheck: listening on http://{f'[{host}]' if ':' in host else host}:{port}{PATH}\n")
        config = uvicorn.Config(
            Monitored(application, monitoring_routes(container)),
            log_level="info" if flags.verbose else "warning",
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        told: list[int] = []
        # The web server handles signals while it runs and raises them anew when it has ended: then they come here, and
        # what else is open can be closed.
        with signals(told.append):
            async with application.running():
                await uvicorn.Server(config).serve(sockets=[bound])
    return 128 + told[0] if told else 0


def _bind(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # The event loop sends small answers at once only on sockets that say that they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listening.host.strip("[]"), listening.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise SettingsError(f"Cannot listen on {listening.host}:{listening.port}: {error.strerror}.") from None
    return bound
