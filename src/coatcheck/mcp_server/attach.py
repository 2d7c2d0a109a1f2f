"""Servers with an object store: one of our own making, and anybody's that exists already."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer

from coatcheck.calls.interceptor import INSTRUCTIONS, Interceptor
from coatcheck.codec.chunked.gc_tuning import search_beforehand
from coatcheck.errors import SettingsError
from coatcheck.mcp_server.middleware import ReferenceMiddleware, ScopeMiddleware
from coatcheck.tools.referenceable import resolves_references
from coatcheck.tools.registration import register_tools
from coatcheck.tools.tool_building import Registry
from coatcheck.tools.toolset import Toolset, load_toolset

if TYPE_CHECKING:
    from coatcheck.containers import Container


def attach(server: MCPServer[Any], container: "Container") -> list[str]:
    """Make every tool of an existing server explorable and referenceable, and give it the object tools.

    Results up to ``inline_limit`` pass byte for byte; larger ones are kept and replaced by a preview with a reference,
    which any tool then takes as an argument in place of the value. Tools that are added later are covered too. Output
    schemas stay true: they are widened for the replaced form. The interpreter's garbage collector runs once.

    Args:
        server: The server; its own tools stay as they are.
        container: Where store, explorer and limits come from. With a backend that must be opened and closed, enter
            ``coatcheck.lifecycle.running(container)``, for example as the server's lifespan.

    Returns:
        Names of the object tools that were added.

    Raises:
        SettingsError: The server has tools with the names of object tools already, or was attached before.
    """
    if any(isinstance(known, ReferenceMiddleware) for known in server.middleware):
        raise SettingsError(f"The server {server.name} has been attached already.")
    interceptor: Interceptor = container.interceptor()
    own = register(server, container.registry(), container)
    server.middleware.append(ScopeMiddleware(container.scopes()))
    server.middleware.append(
        ReferenceMiddleware(
            interceptor,
            is_own=lambda name: name in own or resolves_references(_function(server, name)),
            input_schema=lambda name: _input_schema(server, name),
        )
    )
    search_beforehand()
    return own


def configure_mcp_server(
    mcp_server_instance: MCPServer[Any],
    tools_to_register: Collection[str] | None = None,
    object_store_backend: str = "memory",
    redis_url: str | None = None,
    object_store_ttl: float = 3600.0,
    *,
    toolsets: Collection[Toolset | str] = (),
    toolset_options: Mapping[str, Mapping[str, Any]] | None = None,
    container: "Container | None" = None,
) -> "Container":
    """Give a server an object store, the object tools and the tools of toolsets; runs the garbage collector once.

    Args:
        mcp_server_instance: The server to configure.
        tools_to_register: Names of the tools to register; all by default.
        object_store_backend: ``memory``, ``sqlite`` or ``redis``.
        redis_url: URL of the Redis, needed for ``redis``.
        object_store_ttl: Seconds that objects are kept; zero or less: for ever.
        toolsets: Toolsets, or their names.
        toolset_options: Settings of toolsets, by the toolset's name.
        container: A container of one's own in place of the three settings.

    Returns:
        The container in use; ``coatcheck.lifecycle.running`` closes what it opened.

    Raises:
        SettingsError: Settings or names that do not fit.
        ObjectStoreUnavailable: The Redis does not answer.
    """
    from coatcheck.containers import Container
    from coatcheck.settings import Settings

    if container is None:
        settings = Settings(
            object_store_backend=object_store_backend, redis_url=redis_url, object_store_ttl=object_store_ttl
        )
        container = Container(settings=settings)
        container.store().ping()
    registry = dict(container.registry())
    for entry in toolsets:
        toolset = load_toolset(entry) if isinstance(entry, str) else entry
        added = toolset.registry((toolset_options or {}).get(toolset.name))
        clashes = sorted(set(added) & set(registry))
        if clashes:
            raise SettingsError(f"The toolset {toolset.name} has tools whose names are taken: {', '.join(clashes)}.")
        registry.update(added)
    register(mcp_server_instance, registry, container, tools_to_register)
    mcp_server_instance.middleware.append(ScopeMiddleware(container.scopes()))
    search_beforehand()
    return container


def build_server(container: "Container", name: str = "coatcheck", **options: Any) -> MCPServer[Any]:
    """Make a server with the container's tools; ``options`` go to ``MCPServer``."""
    options.setdefault("instructions", INSTRUCTIONS)
    server: MCPServer[Any] = MCPServer(name, **options)
    configure_mcp_server(server, container=container)
    return server


def register(
    server: MCPServer[Any],
    registry: Registry,
    container: "Container",
    tool_names: Collection[str] | None = None,
) -> list[str]:
    """Register tools that look store and explorer up at each call; names that the server has already are refused."""
    names = list(registry) if tool_names is None else list(tool_names)
    taken = sorted(name for name in names if _function(server, name) is not None)
    if taken:
        raise SettingsError(f"The server {server.name} has tools of these names already: {', '.join(taken)}.")
    return register_tools(server, registry, names, object_store=container.store, explorer=container.explorer)


def _function(server: MCPServer[Any], name: str) -> Callable[..., Any] | None:
    # The SDK has no public way to a tool's function; the look-up is a dict access and kept in this one place.
    tool = server._tool_manager.get_tool(name)  # noqa: SLF001
    return None if tool is None else tool.fn


def _input_schema(server: MCPServer[Any], name: str) -> Mapping[str, Any] | None:
    tool = server._tool_manager.get_tool(name)  # noqa: SLF001
    return None if tool is None else tool.parameters
