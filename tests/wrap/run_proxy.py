"""Runs the proxy in front of a command, with a store in memory: ``python run_proxy.py COMMAND…``."""

import asyncio
import sys

from coatcheck.errors import CoatcheckError
from coatcheck.proxy.upstreams.process import start_server


def make_interceptor():
    from coatcheck.backends.memory import InMemoryBackend
    from coatcheck.calls.built_in_tools import own_tool
    from coatcheck.calls.interceptor import Interceptor
    from coatcheck.explorer import Explorer
    from coatcheck.object_store import ObjectStore
    from coatcheck.tool_factory import build_tool
    from coatcheck.tools.object_tools import object_store_tools

    store = ObjectStore(InMemoryBackend())
    explorer = Explorer(store)
    registry = object_store_tools(lambda: store, lambda: explorer)
    tools = {
        name: own_tool(build_tool(function, config, object_store=store, explorer=explorer), name=name)
        for name, (function, config) in registry.items()
    }
    return Interceptor(explorer, own_tools=tools)


async def serve(command, started, *, verbose: bool) -> int:
    from coatcheck.proxy.front.stdio import serve_stdio
    from coatcheck.proxy.upstreams.process_connection import ProcessConnection

    return await serve_stdio(ProcessConnection(command, started=started, verbose=verbose), make_interceptor)


def main() -> int:
    verbose = sys.argv[1:2] == ["--verbose"]
    try:
        command = sys.argv[2:] if verbose else sys.argv[1:]
        started = start_server(command)
        return asyncio.run(serve(command, started, verbose=verbose))
    except CoatcheckError as error:
        print(f"coatcheck: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
