"""``coatcheck wrap``: servers with coatcheck in front of them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from coatcheck.calls import instructions
from coatcheck.cli.common_options import SettingsFlags
from coatcheck.cli.terminal_notice import explain_waiting
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.proxy.front.standard_streams import SHUTDOWN_TIMEOUT, require_stdio
from coatcheck.proxy.front.stdio import serve_stdio
from coatcheck.proxy.upstreams.process import kill_servers

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor
    from coatcheck.proxy.upstreams.base import UpstreamConnection


def run_wrap(
    make_connection: Callable[[], "UpstreamConnection"], settings: SettingsFlags, *, resource_links: bool
) -> int:
    """Serve an upstream on our stdin and stdout; return the exit code."""
    require_stdio()
    try:
        return asyncio.run(_serve(make_connection, settings, resource_links=resource_links))
    finally:
        kill_servers()  # None is left, unless the graceful shutdown failed.


async def _serve(
    make_connection: Callable[[], "UpstreamConnection"], settings: SettingsFlags, *, resource_links: bool
) -> int:
    async with _Resources() as resources:
        return await serve_stdio(
            make_connection(),
            lambda: resources.interceptor(settings, resource_links=resource_links),
            instructions=_early_instructions(settings),
            offer_resources=resource_links,
            shutdown_timeout=lambda: resources.shutdown_timeout,
            on_ready=explain_waiting,
        )


def _early_instructions(flags: SettingsFlags) -> str | None:
    """Return the instructions if nothing can change them, so that the client need not wait for the settings."""
    deciding = {"COATCHECK_CONFIG", *(f"COATCHECK_{name.upper()}" for name in instructions.DECIDE)}
    decided = flags.container or flags.config or any(flags.given.get(name) is not None for name in instructions.DECIDE)
    return None if decided or deciding.intersection(map(str.upper, os.environ)) else instructions.DEFAULT


class _Resources(AsyncExitStack):
    """Creates the interceptor on demand, in a thread, and closes its resources."""

    shutdown_timeout = SHUTDOWN_TIMEOUT

    def interceptor(self, flags: SettingsFlags, *, resource_links: bool) -> "Interceptor":
        from coatcheck.cli.common_options import make_container
        from coatcheck.wiring.running import find_store

        container = make_container(flags)
        if flags.container is not None:
            from coatcheck.wiring.validation import validate

            validate(container)
        self.shutdown_timeout = container.settings().shutdown_timeout
        self.push_async_callback(container.exit_stack().aclose)
        find_store(container)
        interceptor: Interceptor = container.proxy_interceptor(resource_links=resource_links)
        freeze_loaded_objects()
        return interceptor
