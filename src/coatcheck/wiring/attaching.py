"""An object store for a server of the MCP SDK or FastMCP: `attach`, and `configure_mcp_server` with toolsets."""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from mcp.server import MCPServer, Server

from coatcheck.calls.interceptor import Interceptor
from coatcheck.containers import Container
from coatcheck.errors import SettingsError, excerpt
from coatcheck.mcp_server.attach import attach_interceptor, attach_low_level, install_tools
from coatcheck.settings import Settings
from coatcheck.tools.tool_building import WorkspaceMode
from coatcheck.tools.toolset import Installation, Toolset, load_toolset
from coatcheck.wiring.ownership import require_coatcheck
from coatcheck.wiring.special_providers import CachedProvider

DEEPSET = "deepset"
"""The installed name of the deepset toolset."""


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


def configure_mcp_server(
    mcp_server_instance: MCPServer[Any],
    tools_to_register: Collection[str] | None = None,
    workspace_mode: WorkspaceMode | None = None,
    deepset_api_key: str | None = None,
    deepset_api_url: str | None = None,
    deepset_workspace: str | None = None,
    deepset_docs_shareable_prototype_url: str | None = None,
    get_api_key_from_authorization_header: bool = False,
    object_store_backend: str | None = None,
    redis_url: str | None = None,
    object_store_ttl: float | None = None,
    *,
    toolsets: Collection[Toolset | Installation | str] | Toolset | Installation | str = (),
    toolset_options: Mapping[str, Mapping[str, Any]] | None = None,
    container: Container | None = None,
) -> Container:
    """Add an object store, the object tools and the tools of toolsets to a server; runs the garbage collector once.

    Any of the parameters from ``workspace_mode`` to ``get_api_key_from_authorization_header`` adds the deepset toolset
    with these settings. A setting of the object store that is omitted or ``None`` is read from the environment, then
    from the settings file; otherwise it has its default.

    Args:
        mcp_server_instance: The server to configure.
        tools_to_register: Names of the tools to register; all by default.
        workspace_mode: Whether the host names the deepset workspace once, or the model at each call.
        deepset_api_key: API key of the deepset platform.
        deepset_api_url: URL of the platform's API.
        deepset_workspace: The workspace that the deepset tools work in.
        deepset_docs_shareable_prototype_url: Share URL of the documentation, for the tool ``search_docs``.
        get_api_key_from_authorization_header: Take the API key from the Authorization header of each request.
        object_store_backend: ``memory``, ``sqlite``, ``redis``, or the name of an installed backend.
        redis_url: URL of the Redis server, required for ``redis``.
        object_store_ttl: Seconds that objects are kept; zero or less: no expiry.
        toolsets: Toolsets, names of toolsets, or installations from a container of your own; one or several.
        toolset_options: Settings of toolsets, by the toolset's name.
        container: A container with its own settings, instead of the three settings of the object store.

    Returns:
        The container in use; ``coatcheck.lifecycle.running`` closes what it opened.

    Raises:
        SettingsError: A setting or name is invalid, settings of the object store were passed together with a container,
            ``toolset_options`` names a toolset that is not used, or the server is of an unsupported kind.
        ObjectStoreUnavailable: Redis is unavailable.
    """
    if not isinstance(mcp_server_instance, MCPServer):
        kind = type(mcp_server_instance)
        raise SettingsError(
            f"configure_mcp_server() takes an MCPServer of the MCP SDK 2, not {kind.__module__}.{kind.__qualname__}. "
            "For FastMCP: register_tools(server, registry, …) adds the tools, attach(server, container) the rest."
        )
    options = dict(toolset_options or {})
    loaded = _loaded(toolsets)
    deepset = {
        "workspace_mode": workspace_mode,
        "api_key": deepset_api_key,
        "api_url": deepset_api_url,
        "workspace": deepset_workspace,
        "docs_share_url": deepset_docs_shareable_prototype_url,
        "api_key_from_auth_header": get_api_key_from_authorization_header or None,
    }
    given = {name: value for name, value in deepset.items() if value is not None}
    if given:
        options[DEEPSET] = {**options.get(DEEPSET, {}), **given}
        if all(isinstance(entry, Installation) or entry.name != DEEPSET for entry in loaded):
            loaded.append(load_toolset(DEEPSET))
    _require_used(options, loaded)
    store = {
        "object_store_backend": object_store_backend,
        "redis_url": redis_url,
        "object_store_ttl": object_store_ttl,
    }
    values = {name: value for name, value in store.items() if value is not None}
    if container is None:
        settings = Settings(**values)
        for entry in loaded:
            if isinstance(entry, Toolset):
                settings = entry.adapt(options.get(entry.name), settings)
        container = Container(settings=settings)
        container.store().ping()
    else:
        require_coatcheck(container, "configure_mcp_server")
        if values:
            raise SettingsError(
                f"A container was given, which has settings of its own, and {', '.join(values)} as well: "
                "set them where the container is created, Container(settings=Settings(…))."
            )
    installations = [Installation(container.registry())]
    for entry in loaded:
        added = entry if isinstance(entry, Installation) else entry.install(options.get(entry.name), container)
        taken = {name for installation in installations for name in installation.registry}
        clashes = sorted(taken.intersection(added.registry))
        if clashes:
            name = "A toolset" if isinstance(entry, Installation) else f"The toolset {entry.name}"
            raise SettingsError(f"{name} has tools whose names are taken: {', '.join(clashes)}.")
        installations.append(added)
    interceptor: CachedProvider[Interceptor] = CachedProvider(container.interceptor)
    install_tools(
        mcp_server_instance,
        installations,
        container.tenancy,
        interceptor,
        container.store,
        container.explorer,
        tools_to_register,
    )
    return container


def _loaded(toolsets: Any) -> list[Toolset | Installation]:
    """Load the toolsets that are given by name; one alone need not be in a list."""
    loaded = []
    for entry in [toolsets] if isinstance(toolsets, (str, Toolset, Installation)) else toolsets:
        toolset = load_toolset(entry) if isinstance(entry, str) else entry
        if not isinstance(toolset, (Toolset, Installation)):
            raise SettingsError(
                f"toolsets: a Toolset, the name of one, or an Installation is expected, not {type(toolset).__name__}."
            )
        loaded.append(toolset)
    return loaded


def _require_used(options: Mapping[str, Any], loaded: Collection[Toolset | Installation]) -> None:
    names = [entry.name for entry in loaded if isinstance(entry, Toolset)]
    unused = sorted(options.keys() - names)
    if unused:
        listed = ", ".join(map(excerpt, unused))
        raise SettingsError(
            f"toolset_options has settings for {listed}, and the toolsets are: {', '.join(names) or 'none'}."
        )
