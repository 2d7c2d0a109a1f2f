"""``coatcheck wrap --transport streamable-http``: servers over HTTP for many clients."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from coatcheck.cli.common_options import SettingsFlags, make_container
from coatcheck.cli.listen_options import Listening, is_loopback
from coatcheck.cli.web_server import run_web_server
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
            draining = DrainingApplication(application)
            async with application.running():
                return await run_web_server(draining, PATH, listening, container, lifespan=False, verbose=verbose)

    try:
        received = asyncio.run(serve())
    finally:
        kill_servers()  # None is left, unless the graceful shutdown failed.
    return 128 + received if received else 0
