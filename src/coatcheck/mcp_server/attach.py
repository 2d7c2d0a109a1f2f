"""Adds an object store to MCP servers in this process: their tools store large results and accept references."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from mcp.server import MCPServer, Server

from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec.chunked.gc_tuning import collect_garbage_once
from coatcheck.errors import SettingsError
from coatcheck.explorer import Explorer
from coatcheck.explorer.tool_names import DEFAULT_PREFIX, OPERATIONS
from coatcheck.mcp_server.middleware import (
    NestedServerMiddleware,
    OwnArgumentsMiddleware,
    ReferenceMiddleware,
    TenancyMiddleware,
    refuse_long_names,
    well_formed_results,
)
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.tenancy import Tenancy
from coatcheck.tools import object_tools
from coatcheck.tools.explorable import keeps_results
from coatcheck.tools.referenceable import resolves_references
from coatcheck.tools.registration import choose_tools, register_tools
from coatcheck.tools.tool_building import Registry
from coatcheck.tools.toolset import Installation

StoreProvider = Callable[[], ObjectStore]
ExplorerProvider = Callable[[], Explorer]


class _RegisteredTools:
    """The tools of an ``MCPServer``, including those that are added later."""

    def __init__(self, server: MCPServer[Any], plain: Collection[str]) -> None:
        self._server = server
        self._plain = frozenset(plain)

    def is_plain(self, name: str) -> bool:
        """Whether it is one of the object tools."""
        return name in self._plain

    def resolves(self, name: str) -> bool:
        """Whether it is decorated with ``referenceable``."""
        return resolves_references(_function(self._server, name))

    def keeps(self, name: str) -> bool:
        """Whether it is decorated with ``explorable``."""
        return keeps_results(_function(self._server, name))

    def stores_objects(self) -> bool:
        """Whether any tool other than the object tools is decorated, so that the server keeps objects itself."""
        names = [tool.name for tool in self._server._tool_manager.list_tools()]  # noqa: SLF001
        return any(self.resolves(name) or self.keeps(name) for name in names if not self.is_plain(name))

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """Its registered schema."""
        return _schema_of(self._server, name, (name,))


class _InstalledTools(_RegisteredTools):
    """The tools of an ``MCPServer`` with toolsets; references are resolved for tools that only keep their results."""

    def is_plain(self, name: str) -> bool:
        """Whether it keeps no results."""
        return not self.keeps(name)


def attach_interceptor(
    server: MCPServer[Any],
    registry: Registry,
    plain_tools: Collection[str],
    tenancy: Callable[[], Tenancy],
    interceptor: Callable[[], Interceptor],
    store: StoreProvider,
    explorer: ExplorerProvider,
) -> list[str]:
    """Make every tool of a server explorable and referenceable, and add the tools of a registry.

    ``plain_tools`` names the added tools that handle references and sizes themselves: the object tools. The store and
    the explorer are looked up at each call.

    Returns:
        Names of the tools that were added.

    Raises:
        SettingsError: The server already has tools of these names, or was attached before.
    """
    _refuse_second(server)
    own = _register(server, registry, store, explorer)
    server.middleware.extend((well_formed_results, refuse_long_names, TenancyMiddleware(tenancy)))
    tools = _RegisteredTools(server, plain_tools)
    nested_server = NestedServerMiddleware(plain_tools, tools.stores_objects)
    server.middleware.append(nested_server)
    server.middleware.append(OwnArgumentsMiddleware(lambda name: _schema_of(server, name, own), plain_tools))
    server.middleware.append(ReferenceMiddleware(interceptor, tools, defers_to_client=nested_server.defers_to_client))
    collect_garbage_once()
    return own


def attach_low_level(
    server: Server[Any], tenancy: Callable[[], Tenancy], interceptor: Callable[[], Interceptor]
) -> None:
    """Make every tool of a low-level server explorable and referenceable; it answers the interceptor's own tools.

    Raises:
        SettingsError: The server has no tools, or was attached before.
    """
    _refuse_second(server)
    if server.get_request_handler("tools/list") is None or server.get_request_handler("tools/call") is None:
        raise SettingsError(
            f"The server {server.name} has no tools: pass on_list_tools and on_call_tool before it is attached."
        )
    nested_server = NestedServerMiddleware((), lambda: False)
    server.middleware.extend((well_formed_results, refuse_long_names, TenancyMiddleware(tenancy)))
    server.middleware.append(ReferenceMiddleware(interceptor, defers_to_client=nested_server.defers_to_client))
    collect_garbage_once()


def _schema_of(server: MCPServer[Any], name: str, among: Collection[str]) -> dict[str, Any] | None:
    tool = server._tool_manager.get_tool(name) if name in among else None  # noqa: SLF001
    return None if tool is None else tool.parameters


def _refuse_second(server: MCPServer[Any] | Server[Any]) -> None:
    if any(isinstance(known, ReferenceMiddleware) for known in server.middleware):
        raise SettingsError(f"The server {server.name} has been attached already.")


def install_tools(
    server: MCPServer[Any],
    installations: Sequence[Installation],
    tenancy: Callable[[], Tenancy],
    interceptor: Callable[[], Interceptor],
    store: StoreProvider,
    explorer: ExplorerProvider,
    tool_names: Collection[str] | None = None,
) -> list[str]:
    """Add tools to a server and handle each request within its caller's namespace.

    ``tool_names`` are the tools to add, by default all. The interceptor is for tools that keep results but do not
    resolve references themselves.

    Raises:
        SettingsError: The server already has tools of these names, or a name is unknown.
    """
    owners = {name: installation for installation in installations for name in installation.registry}
    registry = {name: installation.registry[name] for name, installation in owners.items()}
    names: list[str] = []
    chosen = choose_tools(registry, tool_names)
    unlisted = {*registry, *(DEFAULT_PREFIX + name for name in OPERATIONS)}.difference(chosen)
    try:
        for installation in installations:
            own = [name for name in chosen if owners[name] is installation]
            names += _register(server, installation.registry, store, explorer, own, installation, unlisted)
    except Exception:
        for name in names:
            server.remove_tool(name)
        raise
    for installation in installations:
        server.middleware.extend(installation.middleware)
    server.middleware.extend((well_formed_results, refuse_long_names, TenancyMiddleware(tenancy)))
    server.middleware.append(NestedServerMiddleware((), lambda: True))
    objects = [name for name in names if getattr(_function(server, name), "__module__", "") == object_tools.__name__]
    server.middleware.append(OwnArgumentsMiddleware(lambda name: _schema_of(server, name, names), objects))
    # A preview says that any tool takes its reference.
    server.middleware.append(ReferenceMiddleware(interceptor, _InstalledTools(server, ()), instructs=False))
    collect_garbage_once()
    return names


def _register(
    server: MCPServer[Any],
    registry: Registry,
    store: StoreProvider,
    explorer: ExplorerProvider,
    tool_names: Collection[str] | None = None,
    needs: Installation | None = None,
    unlisted: Collection[str] = (),
) -> list[str]:
    """Register tools that look up store and explorer at each call; names that the server already has are refused."""
    names = list(registry) if tool_names is None else list(tool_names)
    taken = sorted(name for name in names if _function(server, name) is not None)
    if taken:
        raise SettingsError(f"The server {server.name} has tools of these names already: {', '.join(taken)}.")
    needs = needs or Installation(registry)
    return register_tools(
        server,
        registry,
        names,
        object_store=store,
        explorer=explorer,
        workspace_mode=needs.workspace_mode,
        workspace=needs.workspace,
        client=needs.client,
        unlisted=unlisted,
    )


def _function(server: MCPServer[Any], name: str) -> Callable[..., Any] | None:
    # The SDK has no public access to a tool's function; the look-up is a dict access, confined to this function.
    tool = server._tool_manager.get_tool(name)  # noqa: SLF001
    return None if tool is None else tool.fn
