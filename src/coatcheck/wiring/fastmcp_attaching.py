"""FastMCP servers: the middleware for ``server.add_middleware``, created from a container."""

from typing import Any

from fastmcp import FastMCP
from fastmcp.server.middleware.tool_injection import ToolInjectionMiddleware

from coatcheck.codec.chunked.gc_tuning import collect_garbage_once
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.mcp_server.fastmcp_middleware import FastMCPMiddleware
from coatcheck.mcp_server.middleware import refuse_long_names, well_formed_results
from coatcheck.tools.registration import build_tools, fastmcp_tool
from coatcheck.wiring.ownership import require_coatcheck
from coatcheck.wiring.special_providers import CachedProvider


class CoatcheckMiddleware(FastMCPMiddleware):
    """Makes every tool of a FastMCP server explorable and referenceable, and adds the object tools.

        server.add_middleware(CoatcheckMiddleware(container))

    It covers the tools of mounted servers, proxies and OpenAPI descriptions too. A tool of the server that has the name
    of an object tool is hidden by it; `coatcheck.server.attach` refuses such a server.

    Args:
        container: Provides store, explorer and limits.
    """

    def __init__(self, container: Container) -> None:
        require_coatcheck(container, "CoatcheckMiddleware")
        built = build_tools(
            registry := container.registry(), registry, object_store=container.store, explorer=container.explorer
        )
        super().__init__(
            CachedProvider(container.interceptor),
            container.tenancy,
            [fastmcp_tool(name, tool, config) for name, tool, config in built],
            frozenset(container.object_tools()),
        )
        collect_garbage_once()


def attach_fastmcp(server: FastMCP[Any], container: Container) -> list[str]:
    """Add the middleware to a server; see `coatcheck.server.attach`."""
    if any(isinstance(known, FastMCPMiddleware) for known in server.middleware):
        raise SettingsError(f"The server {server.name} has been attached already.")
    middleware = CoatcheckMiddleware(container)
    names = [tool.name for tool in middleware.injected_tools]
    taken = sorted(_local_names(server).intersection(names))
    if taken:
        raise SettingsError(f"The server {server.name} has tools of these names already: {', '.join(taken)}.")
    server.add_middleware(middleware)
    # Covers prompts, lists and errors, which FastMCP's own middleware would have to rebuild one kind at a time.
    server._mcp_server.middleware[:0] = [well_formed_results, refuse_long_names]  # noqa: SLF001 - FastMCP has no public access to it
    return names


def _local_names(server: FastMCP[Any]) -> set[str]:
    """Names of the tools that are known without a request to FastMCP's providers, which may be remote."""
    injected = {
        tool.name
        for known in server.middleware
        if isinstance(known, ToolInjectionMiddleware)
        for tool in known.injected_tools
    }
    # FastMCP's API for listing tools is async; the keys of its own components have the form tool:NAME@VERSION.
    keys = server.local_provider._components  # noqa: SLF001
    return injected | {key.removeprefix("tool:").partition("@")[0] for key in keys if key.startswith("tool:")}
