"""``coatcheck wrap``: a server over stdio with coatcheck in front of it."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coatcheck.cli.options import SettingsFlags, make_settings
from coatcheck.proxy.stdio import serve_stdio
from coatcheck.proxy.stopping import stop_upstream
from coatcheck.proxy.upstream import Upstream, start_upstream

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.wire.interceptor import Interceptor


def run_wrap(command: Sequence[str] | Upstream, flags: SettingsFlags, *, verbose: bool) -> int:
    """Carry messages between our client and a server, by its command or started already; give the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING)
    upstream = command if isinstance(command, Upstream) else start_upstream(command)
    return asyncio.run(_carry(upstream, flags, verbose=verbose))


async def _carry(upstream: Upstream, flags: SettingsFlags, *, verbose: bool) -> int:
    made: list[Container] = []

    def make_interceptor() -> "Interceptor":
        from coatcheck.containers import Container
        from coatcheck.lifecycle import validate

        container = Container(settings=make_settings(*flags))
        made.append(container)
        validate(container)
        container.store().ping()
        return container.proxy_interceptor()

    try:
        return await serve_stdio(upstream, make_interceptor, verbose=verbose)
    finally:
        await stop_upstream(upstream)
        for container in made:
            await container.exit_stack().aclose()
