"""``coatcheck wrap``: servers with coatcheck in front of them."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coatcheck.cli.options import SettingsFlags, make_settings
from coatcheck.codec.chunked.gc_tuning import spare_what_is_loaded
from coatcheck.proxy.front.stdio import serve_stdio
from coatcheck.proxy.upstreams.process import ServerProcess, start_server
from coatcheck.proxy.upstreams.process_shutdown import stop_server

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor
    from coatcheck.containers import Container
    from coatcheck.proxy.upstreams.base import UpstreamConnection
    from coatcheck.proxy.upstreams.targets import CommandTarget


@dataclass(frozen=True, slots=True)
class WrapFlags:
    """What the command line says besides which servers are wrapped."""

    settings: SettingsFlags
    resource_links: bool = False
    verbose: bool = False


def run_wrap(server: "CommandTarget | ServerProcess", flags: WrapFlags) -> int:
    """Carry messages between our stdin and stdout and a server, by its command or started already."""
    if isinstance(server, ServerProcess):
        upstream = server
    else:
        upstream = start_server(server.command, environment=server.environment, folder=server.folder)
    return asyncio.run(_run_process(upstream, flags))


def run_wrap_connection(make_connection: Callable[[], "UpstreamConnection"], flags: WrapFlags) -> int:
    """Carry messages between our stdin and stdout and a link."""
    return asyncio.run(_run_connection(make_connection, flags))


async def _run_process(upstream: ServerProcess, flags: WrapFlags) -> int:
    async with _Built(flags) as built:
        try:
            return await serve_stdio(
                upstream, built.interceptor, verbose=flags.verbose, offer_resources=flags.resource_links
            )
        finally:
            await stop_server(upstream)


async def _run_connection(make_connection: Callable[[], "UpstreamConnection"], flags: WrapFlags) -> int:
    from coatcheck.proxy.front.stdio_to_upstream import serve_connection

    async with _Built(flags) as built:
        return await serve_connection(make_connection(), built.interceptor, offer_resources=flags.resource_links)


class _Built(AsyncExitStack):
    """Makes the interceptor when it is asked, in a thread, and closes what that opened."""

    def __init__(self, flags: WrapFlags) -> None:
        super().__init__()
        self._flags = flags

    def interceptor(self) -> "Interceptor":
        from coatcheck.wiring.running import find_store

        container = make_container(self._flags)
        self.push_async_callback(container.exit_stack().aclose)
        find_store(container)
        made = make_interceptor(container, self._flags)
        spare_what_is_loaded()
        return made


def make_container(flags: WrapFlags) -> "Container":
    """Make the container that the flags ask for; slow to import."""
    from coatcheck.containers import Container
    from coatcheck.wiring.validation import validate

    container = Container(settings=make_settings(flags.settings))
    validate(container)
    return container


def make_interceptor(container: "Container", flags: WrapFlags) -> "Interceptor":
    """Make what is done with lists, arguments and results."""
    made: Interceptor = container.proxy_interceptor(resource_links=flags.resource_links)
    return made
