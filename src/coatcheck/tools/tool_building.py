"""The steps from a function to a tool; each returns the function itself if its configuration needs no change."""

import difflib
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from coatcheck.errors import SettingsError, excerpt
from coatcheck.explorer.explorer import DEFAULT_PREVIEW_LIMIT, DEFAULT_RESPONSE_LIMIT, require_limits
from coatcheck.tools.explorable import explorable
from coatcheck.tools.hidden_parameters import bind, unwrapped
from coatcheck.tools.referenceable import ExplorerSource, StoreSource, explorer_provider, referenceable
from coatcheck.tools.signatures import signature_of


class MemoryType(StrEnum):
    """Whether a tool's results are kept and its arguments may be references."""

    NO_MEMORY = "no_memory"
    EXPLORABLE = "explorable"
    REFERENCEABLE = "referenceable"
    BOTH = "both"


class WorkspaceMode(StrEnum):
    """Who names the workspace of a tool: the host once (static), or the model at each call (dynamic)."""

    STATIC = "static"
    DYNAMIC = "dynamic"


_EXPLORER_SETTINGS = {"preview_limit": DEFAULT_PREVIEW_LIMIT, "response_limit": DEFAULT_RESPONSE_LIMIT}


@dataclass(frozen=True)
class ToolConfig:
    """How a function becomes a tool.

    Attributes:
        memory_type: Whether results are stored and references resolved.
        custom_args: Fixed values of parameters, hidden from the model.
        parameters: Providers of parameters, hidden from the model and called each time: ``container.store``, or a
            function without arguments. For an async tool it may give an awaitable. A context manager, sync or async, is
            entered for the call and exited after it; see `coatcheck.tool_factory.inject`.
        needs_client: Whether the parameter ``client`` is filled by the host.
        needs_workspace: Whether the tool works in a ``workspace``, see `WorkspaceMode`.
        explorer_config: Limits of this tool's own previews and answers: ``preview_limit``, at least 50, and
            ``response_limit``, at least 500, in characters.
        title: A name for people.
        annotations: MCP's hints, such as ``{"readOnlyHint": True}``, or a ``ToolAnnotations``.

    Raises:
        SettingsError: An argument is invalid.
    """

    memory_type: MemoryType = MemoryType.NO_MEMORY
    custom_args: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    needs_client: bool = False
    needs_workspace: bool = False
    explorer_config: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None
    annotations: Any = None

    def __post_init__(self) -> None:
        """Check the arguments on creation, not when a model calls the tool."""
        object.__setattr__(self, "memory_type", _memory_type(self.memory_type))
        for name in ("custom_args", "parameters", "explorer_config"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise SettingsError(
                    f"ToolConfig: {name} must be a mapping of names to values, not {type(given).__name__}."
                )
        object.__setattr__(self, "parameters", {name: unwrapped(each) for name, each in self.parameters.items()})
        for name, provider in self.parameters.items():
            if not callable(provider):
                raise SettingsError(
                    f"ToolConfig: parameters[{name!r}] is a value ({type(provider).__name__}) where a provider is "
                    f"expected, which is asked at each call: write container.{name}, lambda: …, or use custom_args for "
                    "a fixed value."
                )
        twice = sorted(self.custom_args.keys() & self.parameters.keys())
        if twice:
            raise SettingsError(f"ToolConfig: {twice[0]!r} is in custom_args and in parameters; keep one of them.")
        unknown = sorted(self.explorer_config.keys() - _EXPLORER_SETTINGS)
        if unknown:
            raise SettingsError(
                f"ToolConfig: explorer_config has no {unknown[0]!r}; it takes: {', '.join(_EXPLORER_SETTINGS)}."
            )
        try:
            require_limits("ToolConfig: explorer_config", **{**_EXPLORER_SETTINGS, **self.explorer_config})
        except (TypeError, ValueError) as error:
            raise SettingsError(str(error)) from None


def _memory_type(given: Any) -> MemoryType:
    try:
        return MemoryType(given)
    except ValueError:
        known = ", ".join(MemoryType)
        raise SettingsError(
            f"ToolConfig: there is no memory type {excerpt(str(given))!r}; there are: {known}."
        ) from None


Tool: TypeAlias = Callable[..., Any]
Registry: TypeAlias = Mapping[str, tuple[Tool, ToolConfig]]


def require_registry(given: Any) -> Registry:
    """Return a registry.

    Raises:
        SettingsError: It is another kind of object, or a name is no text.
    """
    if not isinstance(given, Mapping):
        raise _malformed("name", type(given).__name__)
    for name in given:
        if not isinstance(name, str):
            raise _malformed("name", f"{type(name).__name__} in place of a name")
    return given


def entry_of(registry: Registry, name: str) -> tuple[Tool, ToolConfig]:
    """Return the function and the configuration of a tool.

    Raises:
        SettingsError: The entry of the registry is something else.
    """
    entry: Any = registry[name]
    if not isinstance(entry, tuple) or len(entry) != len(("function", "config")):
        raise _malformed(name, type(entry).__name__)
    function, config = entry
    if not callable(function) or not isinstance(config, ToolConfig):
        raise _malformed(name, f"({type(function).__name__}, {type(config).__name__})")
    return function, config


def _malformed(name: str, given: str) -> SettingsError:
    return SettingsError(
        f"a registry maps names to pairs, {{{excerpt(name)!r}: (function, ToolConfig(…))}}, and here is: {given}."
    )


def apply_custom_args(base_func: Tool, config: ToolConfig) -> Tool:
    """Hide the parameters in ``custom_args`` and ``parameters`` and fill them at every call.

    Raises:
        SettingsError: A name is not a parameter of the function.
    """
    providers = {name: _constant(value) for name, value in config.custom_args.items()} | dict(config.parameters)
    return _bind_providers(base_func, providers, "custom_args or parameters") if providers else base_func


def apply_memory(
    base_func: Tool, config: ToolConfig, store: StoreSource | None = None, explorer: ExplorerSource | None = None
) -> Tool:
    """Add the memory of ``config.memory_type`` to the function.

    Args:
        base_func: The function.
        config: Its configuration; ``explorer_config`` sets separate limits.
        store: The object store or a provider of it.
        explorer: The explorer or a provider of it; by default one over ``store``.

    Raises:
        SettingsError: The tool needs a store and there is none, or ``explorer_config`` has an unknown key.
    """
    if config.memory_type == MemoryType.NO_MEMORY:
        return base_func
    if store is None:
        raise SettingsError(
            f"{signature_of(base_func).name}() keeps results or takes references: it needs an object_store."
        )
    own = _own_explorer(config, store, explorer)
    if config.memory_type in {MemoryType.REFERENCEABLE, MemoryType.BOTH}:
        # A client that is hidden only later belongs to the host: it is neither searched for references nor validated.
        parameters = signature_of(base_func).signature.parameters
        literal = frozenset({"client"} if config.needs_client and "client" in parameters else ())
        base_func = referenceable(object_store=store, explorer=own, literal=literal)(base_func)
    if config.memory_type in {MemoryType.EXPLORABLE, MemoryType.BOTH}:
        base_func = explorable(object_store=store, explorer=own)(base_func)
    return base_func


def apply_workspace(
    base_func: Tool, config: ToolConfig, mode: WorkspaceMode = WorkspaceMode.STATIC, workspace: Any = None
) -> Tool:
    """Hide and fill the parameter ``workspace`` in static mode; in dynamic mode the model passes it.

    Args:
        base_func: The function.
        config: Its configuration; without ``needs_workspace`` the function stays unchanged.
        mode: Who names the workspace.
        workspace: In static mode the workspace, or a provider of it.

    Raises:
        SettingsError: An unknown mode, static mode without a workspace, or a function without the parameter.
    """
    if mode not in tuple(WorkspaceMode):
        raise SettingsError(
            f"There is no workspace mode {excerpt(str(mode))!r}; there are: {', '.join(WorkspaceMode)}."
        )
    if not config.needs_workspace:
        return base_func
    if mode == WorkspaceMode.DYNAMIC:
        _check_names(base_func, ("workspace",), "needs_workspace")
        return base_func
    provider = _checked_provider(
        base_func, "workspace", workspace, "set one, or let the model give it with the mode 'dynamic'"
    )
    return _bind_providers(base_func, {"workspace": provider}, "needs_workspace")


def apply_client(base_func: Tool, config: ToolConfig, client: Any = None) -> Tool:
    """Hide the parameter ``client`` and fill it.

    Args:
        base_func: The function.
        config: Its configuration; without ``needs_client`` the function stays unchanged.
        client: The client, or a zero-argument provider of it; a client that can be called needs a provider.

    Raises:
        SettingsError: No client, or a function without the parameter.
    """
    if not config.needs_client:
        return base_func
    provider = _checked_provider(base_func, "client", client, "pass a client or a provider of one")
    return _bind_providers(base_func, {"client": provider}, "needs_client")


def _own_explorer(config: ToolConfig, store: StoreSource, explorer: ExplorerSource | None) -> ExplorerSource | None:
    limits = dict(config.explorer_config)
    if not limits:
        return explorer
    base = explorer_provider(store, explorer)
    return lambda: base().with_limits(**limits)


def _bind_providers(func: Tool, providers: Mapping[str, Callable[[], Any]], said_by: str) -> Tool:
    _check_names(func, providers, said_by)
    return bind(func, **providers)


def _check_names(func: Tool, names: Collection[str], said_by: str) -> None:
    spec = signature_of(func)
    known = [p.name for p in spec.signature.parameters.values() if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise SettingsError(
                f"{said_by} names {excerpt(name)!r}, which is not a parameter of {spec.name}().{meant} "
                f"Its parameters are: {', '.join(known) or 'none'}."
            )


def _checked_provider(func: Tool, name: str, given: Any, advice: str) -> Callable[[], Any]:
    missing = f"{signature_of(func).name}() needs a {name} and there is none: {advice}."
    if given is None:
        raise SettingsError(missing)
    if not callable(given):
        return _constant(given)

    def checked(value: Any) -> Any:
        if value is None:
            raise SettingsError(missing)
        return value

    async def awaited(value: Awaitable[Any]) -> Any:
        return checked(await value)

    def provide() -> Any:
        value = given()
        return awaited(value) if inspect.isawaitable(value) else checked(value)

    return provide


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value
