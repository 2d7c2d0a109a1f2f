"""``coatcheck wrap``: servers with coatcheck in front of them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coatcheck.calls import instructions
from coatcheck.cli.first_run import explain_waiting
from coatcheck.cli.options import SettingsFlags
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.proxy.front.standard_streams import SHUTDOWN_TIMEOUT, require_stdio
from coatcheck.proxy.front.stdio import serve_stdio
from coatcheck.proxy.upstreams.process import kill_servers

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor
    from coatcheck.containers import Container
    from coatcheck.proxy.upstreams.base import UpstreamConnection


@dataclass(frozen=True, slots=True)
class WrapFlags:
    """The options of ``wrap`` besides those of the wrapped servers."""

    settings: SettingsFlags
    resource_links: bool = False
    verbose: bool = False


def run_wrap(make_connection: Callable[[], "UpstreamConnection"], flags: WrapFlags) -> int:
    """Serve an upstream on our stdin and stdout; return the exit code."""
    require_stdio()
    try:
        return asyncio.run(_serve(make_connection, flags))
    finally:
        kill_servers()  # None is left, unless the graceful shutdown failed.


async def _serve(make_connection: Callable[[], "UpstreamConnection"], flags: WrapFlags) -> int:
    async with _Resources() as resources:
        return await serve_stdio(
            make_connection(),
            lambda: resources.interceptor(flags),
            instructions=_early_instructions(flags.settings),
            offer_resources=flags.resource_links,
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

    def interceptor(self, flags: WrapFlags) -> "Interceptor":
        from coatcheck.wiring.running import find_store

        container = make_container(flags)
        self.shutdown_timeout = container.settings().shutdown_timeout
        self.push_async_callback(container.exit_stack().aclose)
        find_store(container)
        interceptor = make_interceptor(container, flags)
        freeze_loaded_objects()
        return interceptor


def make_container(flags: WrapFlags) -> "Container":
    """Create the container that the flags ask for; slow to import."""
    from coatcheck.cli.options import make_container as make
    from coatcheck.wiring.validation import validate

    container = make(flags.settings)
    validate(container)
    return container


def make_interceptor(container: "Container", flags: WrapFlags) -> "Interceptor":
    """Create the interceptor."""
    interceptor: Interceptor = container.proxy_interceptor(resource_links=flags.resource_links)
    return interceptor
