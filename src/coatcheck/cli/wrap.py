"""``coatcheck wrap``: servers with coatcheck in front of them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coatcheck.cli.options import SettingsFlags, make_settings
from coatcheck.collector import spare_what_is_loaded
from coatcheck.proxy.stdio import serve_stdio
from coatcheck.proxy.stopping import stop_upstream
from coatcheck.proxy.upstream import Upstream, start_upstream

if TYPE_CHECKING:
    from coatcheck.cli.serve import AuthFlags, Listening
    from coatcheck.containers import Container
    from coatcheck.proxy.links import Link
    from coatcheck.wire.interceptor import Interceptor


@dataclass(frozen=True, slots=True)
class WrapFlags:
    """What the command line says besides which servers are wrapped."""

    settings: SettingsFlags
    resource_links: bool = False
    verbose: bool = False


def run_wrap(command: Sequence[str] | Upstream, flags: WrapFlags) -> int:
    """Carry messages between our stdin and stdout and a server, by its command or started already."""
    upstream = command if isinstance(command, Upstream) else start_upstream(command)
    return asyncio.run(_carry_process(upstream, flags))


def run_wrap_link(make_link: Callable[[], "Link"], flags: WrapFlags) -> int:
    """Carry messages between our stdin and stdout and a link."""
    return asyncio.run(_carry_link(make_link, flags))


def run_wrap_http(
    make_link: Callable[[], "Link"], flags: WrapFlags, listening: "Listening", authentication: "AuthFlags"
) -> int:
    """Serve a link over HTTP until we are told to end."""
    from coatcheck.cli.wrap_http import serve_http

    container = make_container(flags)
    return asyncio.run(serve_http(make_link, container, flags, listening, authentication))


async def _carry_process(upstream: Upstream, flags: WrapFlags) -> int:
    async with _Built(flags) as built:
        try:
            return await serve_stdio(
                upstream, built.interceptor, verbose=flags.verbose, offer_resources=flags.resource_links
            )
        finally:
            await stop_upstream(upstream)


async def _carry_link(make_link: Callable[[], "Link"], flags: WrapFlags) -> int:
    from coatcheck.proxy.stdio_to_link import serve_link

    async with _Built(flags) as built:
        return await serve_link(make_link(), built.interceptor, offer_resources=flags.resource_links)


class _Built(AsyncExitStack):
    """Makes the interceptor when it is asked, in a thread, and closes what that opened."""

    def __init__(self, flags: WrapFlags) -> None:
        super().__init__()
        self._flags = flags

    def interceptor(self) -> "Interceptor":
        from coatcheck.lifecycle import find_store

        container = make_container(self._flags)
        self.push_async_callback(container.exit_stack().aclose)
        find_store(container)
        made = make_interceptor(container, self._flags)
        spare_what_is_loaded()
        return made


def make_container(flags: WrapFlags) -> "Container":
    """Make the container that the flags ask for; slow to import."""
    from coatcheck.containers import Container
    from coatcheck.lifecycle import validate

    container = Container(settings=make_settings(flags.settings))
    validate(container)
    return container


def make_interceptor(container: "Container", flags: WrapFlags) -> "Interceptor":
    """Make what is done with lists, arguments and results."""
    made: Interceptor = container.proxy_interceptor(resource_links=flags.resource_links)
    return made
