"""Builds tools and registers them on a server."""

import difflib
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from inspect import Parameter, isclass
from keyword import iskeyword
from typing import Any, get_args

from coatcheck.errors import SettingsError, excerpt
from coatcheck.tools.referenceable import ExplorerSource, StoreSource, errors_for_model
from coatcheck.tools.signatures import signature_of, with_other_signature
from coatcheck.tools.tool_building import (
    Registry,
    Tool,
    ToolConfig,
    WorkspaceMode,
    apply_client,
    apply_custom_args,
    apply_memory,
    apply_workspace,
    entry_of,
    require_registry,
)
from coatcheck.tools.unlisted_names import without_mentions


def build_tool(
    base_func: Tool,
    config: ToolConfig,
    workspace_mode: WorkspaceMode = WorkspaceMode.STATIC,
    workspace: Any = None,
    *,
    object_store: StoreSource | None = None,
    explorer: ExplorerSource | None = None,
    client: Any = None,
) -> Tool:
    """Create a tool from a function according to ``config``.

    Parameters that the host fills are hidden first: a client or a fixed value is neither searched for references nor
    validated. A sync function stays sync, because the SDK runs it in a worker thread; as an async function it would
    block the event loop.

    Raises:
        SettingsError: The configuration does not fit the function, or something it needs is missing.
    """
    tool = apply_custom_args(base_func, config)
    tool = apply_workspace(tool, config, workspace_mode, workspace)
    tool = apply_client(tool, config, client)
    tool = apply_memory(tool, config, object_store, explorer)
    return _with_model_errors(tool)


def register_tools(
    mcp_server_instance: Any,
    registry: Registry,
    tool_names: Iterable[str] | None = None,
    *,
    object_store: StoreSource | None = None,
    explorer: ExplorerSource | None = None,
    workspace_mode: WorkspaceMode = WorkspaceMode.STATIC,
    workspace: Any = None,
    client: Any = None,
    unlisted: Collection[str] = (),
) -> list[str]:
    """Register tools on an ``MCPServer`` or a ``FastMCP``, all of them or none.

    Args:
        mcp_server_instance: The server.
        registry: ``name → (function, config)``.
        tool_names: The tools to register; by default all.
        object_store: The object store or a provider of it.
        explorer: The explorer or a provider of it; by default one over ``object_store``.
        workspace_mode: Who names the workspace for tools that need one.
        workspace: The workspace or a provider of it.
        client: The client or a provider of it, for tools that need one.
        unlisted: Names of tools that descriptions and errors do not mention, beside those of the registry that are not
            registered.

    Returns:
        The names of the registered tools, in the registry's order.

    Raises:
        SettingsError: An unknown name, or a tool that cannot be built.
    """
    if not callable(getattr(mcp_server_instance, "add_tool", None)):
        raise SettingsError(
            f"Tools are registered on an MCPServer of the SDK or a FastMCP, not {type(mcp_server_instance).__name__}."
        )
    built = build_tools(
        registry,
        choose_tools(registry, tool_names),
        object_store=object_store,
        explorer=explorer,
        workspace_mode=workspace_mode,
        workspace=workspace,
        client=client,
        unlisted=unlisted,
    )
    _add_all(mcp_server_instance, built)
    return [name for name, _, _ in built]


def build_tools(
    registry: Registry, names: Iterable[str], *, unlisted: Collection[str] = (), **needs: Any
) -> list[tuple[str, Tool, ToolConfig]]:
    """Build tools of a registry under their names; see `register_tools` for the arguments and errors."""
    built: list[tuple[str, Tool, ToolConfig]] = []
    names = list(names)
    silent = {*registry, *unlisted}.difference(names)
    for name in names:
        func, config = entry_of(registry, name)
        spec = replace(signature_of(func), name=name)
        shown = without_mentions(func, spec, silent) if silent else with_other_signature(func, spec)
        built.append((name, build_tool(shown, config, **needs), config))
    return built


def choose_tools(registry: Registry, tool_names: Iterable[str] | None) -> list[str]:
    """Return the names of the requested tools, in the registry's order; all by default.

    Raises:
        SettingsError: A name is unknown, or the registry is malformed.
    """
    require_registry(registry)
    if tool_names is None:
        return list(registry)
    requested = {tool_names} if isinstance(tool_names, str) else set(tool_names)
    unknown = sorted(requested - registry.keys())
    if unknown:
        raise SettingsError(_unknown_names(unknown, registry))
    return [name for name in registry if name in requested]


def _unknown_names(unknown: list[str], registry: Registry) -> str:
    close = [match for name in unknown for match in difflib.get_close_matches(name, registry, n=1)]
    meant = f" Did you mean {', '.join(dict.fromkeys(close))}?" if close else ""
    listed = ", ".join(excerpt(name) for name in unknown)
    word = "tools" if len(unknown) > 1 else "tool"
    return f"Unknown {word}: {listed}.{meant} There are: {', '.join(sorted(registry)) or 'none'}."


def _add_all(server: Any, built: list[tuple[str, Tool, ToolConfig]]) -> None:
    added: list[str] = []
    try:
        for name, tool, config in built:
            _add(server, name, tool, config)
            added.append(name)
    except Exception:
        for name in added:
            (server.local_provider if _is_fastmcp(server) else server).remove_tool(name)
        raise


def _add(server: Any, name: str, tool: Tool, config: ToolConfig) -> None:
    # Text would be sent twice, as content and as {"result": text}; models read the content.
    if _is_fastmcp(server):
        server.add_tool(fastmcp_tool(name, tool, config))
        return
    structured = False if signature_of(tool).signature.return_annotation is str else None
    hints = _hints(config.annotations)
    server.add_tool(tool, name=name, title=config.title, annotations=hints, structured_output=structured)


def _is_fastmcp(server: Any) -> bool:
    fastmcp = sys.modules.get("fastmcp")  # a server of FastMCP's cannot exist before the package is imported
    return fastmcp is not None and isinstance(server, fastmcp.FastMCP)


def fastmcp_tool(name: str, tool: Tool, config: ToolConfig) -> Any:
    """Create a FastMCP tool from a built one."""
    from fastmcp.tools import Tool as FastMCPTool

    options: dict[str, Any] = {"title": config.title, "annotations": _hints(config.annotations)}
    spec = signature_of(tool)
    if spec.signature.return_annotation is str:
        options["output_schema"] = None
    parameters = [_with_its_context(parameter) for parameter in spec.signature.parameters.values()]
    shown = replace(spec, signature=spec.signature.replace(parameters=parameters))
    return FastMCPTool.from_function(with_other_signature(tool, shown), name=name, **options)


def _with_its_context(parameter: Parameter) -> Parameter:
    """Let FastMCP pass its own context to a tool that expects the SDK's; both have the same methods."""
    from fastmcp import Context as FastMCPContext
    from mcp.server.mcpserver import Context

    for kind in (parameter.annotation, *get_args(parameter.annotation)):
        if isclass(kind) and issubclass(kind, Context):
            return parameter.replace(annotation=FastMCPContext)
    return parameter


def _hints(annotations: Any) -> Any:
    if not isinstance(annotations, Mapping):
        return annotations
    from mcp_types import ToolAnnotations

    return ToolAnnotations.model_validate(dict(annotations))


def _with_model_errors(func: Tool) -> Tool:
    """Show errors to the model, and accept arguments that are named like Python keywords: ``with`` for ``with_``."""
    spec = signature_of(func)
    parameters = {
        name.removesuffix("_"): name for name in spec.signature.parameters if iskeyword(name.removesuffix("_"))
    }

    def renamed(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **{parameters.get(name, name): value for name, value in kwargs.items()})

    return with_other_signature(renamed if parameters else func, spec, errors_for_model)
