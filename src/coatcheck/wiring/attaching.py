"""`attach`: an object store for an existing server of the MCP SDK or FastMCP."""

import sys
from typing import Any

from mcp.server import MCPServer, Server

from coatcheck.calls.interceptor import Interceptor
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.mcp_server.attach import attach_interceptor, attach_low_level
from coatcheck.wiring.ownership import require_coatcheck
from coatcheck.wiring.special_providers import CachedProvider


def attach(server: Any, container: Container) -> list[str]:
    """Make every tool of an existing server explorable and referenceable, and give it the object tools.

    Results up to ``inline_limit`` pass byte for byte; larger ones are kept and replaced by a preview with a reference,
    which any tool then takes as an argument in place of the value. Tools that are added later are covered too. Output
    schemas are widened for the replaced form. The interpreter's garbage collector runs once.

    Args:
        server: An ``MCPServer`` or a low-level ``Server`` of the SDK, or a ``FastMCP`` 4 with its mounted servers;
            its own tools stay unchanged.
        container: Provides store, explorer and limits. With a backend that must be opened and closed, enter
            ``coatcheck.lifecycle.running(container)``, for example as the server's lifespan.

    Returns:
        Names of the object tools that were added.

    Raises:
        SettingsError: The server already has tools with the names of object tools, was attached before, or is of an
            unsupported kind.
        TypeError: ``container`` is not a container of coatcheck.
    """
    require_coatcheck(container, "attach")
    if isinstance(server, MCPServer):
        return attach_interceptor(
            server,
            container.registry(),
            container.object_tools(),
            container.tenancy,
            CachedProvider(container.interceptor),
            container.store,
            container.explorer,
        )
    if isinstance(server, Server):
        interceptor: CachedProvider[Interceptor] = CachedProvider(container.proxy_interceptor)
        attach_low_level(server, container.tenancy, interceptor)
        return list(container.registry())
    fastmcp = sys.modules.get("fastmcp")  # a FastMCP server cannot exist before the package is imported
    if fastmcp is not None and isinstance(server, fastmcp.FastMCP):
        from coatcheck.wiring.fastmcp_attaching import attach_fastmcp

        return attach_fastmcp(server, container)
    raise SettingsError(
        f"attach() takes an MCPServer or a low-level Server of the MCP SDK 2, or a FastMCP 4, not "
        f"{type(server).__module__}.{type(server).__qualname__}. A server in another language or process goes behind "
        "`coatcheck wrap`."
    )
