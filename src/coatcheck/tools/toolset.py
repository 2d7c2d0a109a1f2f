"""Toolsets: their base class, and finding one by its installed name or ``module:attribute``."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from coatcheck.errors import SettingsError, excerpt, invalid_settings
from coatcheck.references import close_names
from coatcheck.settings import Settings, variable_of
from coatcheck.tools.tool_building import Registry, WorkspaceMode, require_registry


@dataclass(frozen=True, slots=True)
class Installation:
    """What a toolset adds to one server.

    Attributes:
        registry: The tools.
        client: The client of tools that need one, or a provider of it that is called each time.
        workspace_mode: Who names the workspace for tools that need one.
        workspace: The workspace or a provider of it, in static mode.
        middleware: Middleware of the server, the outermost first; it runs before the caller's namespace is known.
    """

    registry: Registry
    client: Any = None
    workspace_mode: WorkspaceMode = WorkspaceMode.STATIC
    workspace: Any = None
    middleware: Sequence[Any] = ()


@dataclass(frozen=True)
class Toolset:
    """Tools that are installed together.

    Subclass it for tools that need more than settings: see `adapt`, `token_verifier` and `install`.

    Attributes:
        name: The value for ``--toolset``.
        tools: Returns the tools; it is called with the settings, or without arguments if there are none.
        settings: Model of the settings; a ``BaseSettings`` reads its own variables. Its fields become flags of
            ``coatcheck serve``; lists and tables are written as JSON.
        description: One line for listings.
    """

    name: str
    tools: Callable[..., Registry]
    settings: type[BaseModel] | None = None
    description: str = ""

    def registry(self, options: Mapping[str, Any] | None = None) -> Registry:
        """Return the tools, with these settings.

        Raises:
            SettingsError: A setting is unknown or invalid, or `tools` returned something else; no value is quoted.
        """
        settings = self.load_settings(options)
        return require_registry(self.tools() if settings is None else self.tools(settings))

    def listing(self, options: Mapping[str, Any] | None = None) -> Registry:
        """Return the tools for a listing, in which nothing is called."""
        return self.registry(options)

    def load_settings(self, options: Mapping[str, Any] | None = None) -> BaseModel | None:
        """Create the settings; ``None`` if the toolset has none.

        Raises:
            SettingsError: A setting is unknown or invalid; no value is quoted.
        """
        if self.settings is None:
            if options:
                raise SettingsError(
                    f"The toolset {self.name} has no settings, so it does not accept {', '.join(options)}."
                )
            return None
        unknown = [name for name in options or {} if name not in self.settings.model_fields]
        if unknown:
            known = ", ".join(self.settings.model_fields)
            raise SettingsError(f"The toolset {self.name} has no setting {', '.join(unknown)}; there are: {known}.")
        try:
            return self.settings(**(options or {}))
        except ValidationError as error:
            raise invalid_settings(
                f"Settings of the toolset {self.name}", error, with_variable(self.settings, options or {})
            ) from None

    def adapt(self, options: Mapping[str, Any] | None, core: Settings) -> Settings:
        """Adapt coatcheck's settings to those of the toolset; called before a container is created."""
        del options
        return core

    def token_verifier(self, options: Mapping[str, Any] | None) -> Any:
        """Return the ``TokenVerifier`` for callers over HTTP; ``None`` for no verification."""
        del options

    def install(self, options: Mapping[str, Any] | None, container: Any) -> Installation:
        """Return what the toolset adds to a server.

        Args:
            options: Its settings.
            container: The server's container.

        Raises:
            SettingsError: A setting is invalid.
        """
        del container
        return Installation(self.registry(options))


def with_variable(settings: Any, given: Mapping[str, Any]) -> Callable[[str], str]:
    """Return the function that names a field of other settings, with where its value is from, or can be set.

    Args:
        settings: The class of the settings.
        given: The arguments of its constructor, which override variables.
    """
    prefix = settings.model_config.get("env_prefix")  # only of settings that are read from variables

    def place(field: str) -> str:
        if field in given or field not in settings.model_fields:
            return field
        variable = None if prefix is None else variable_of(field, prefix)
        if variable:
            return f"{field} in {variable}"
        flag = f"--{field.replace('_', '-')}"
        return f"{field} ({flag})" if prefix is None else f"{field} ({flag} or {f'{prefix}{field}'.upper()})"

    return place


ENTRY_POINT_GROUP = "coatcheck.toolsets"
_PLACE = re.compile(r"[\w.]+:[\w.]+")


def installed_toolsets() -> dict[str, EntryPoint]:
    """Toolsets that installed packages offer, by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def load_toolset(name: str) -> Toolset:
    """Load a toolset by its installed name, or by ``module:attribute``.

    Raises:
        SettingsError: It does not exist, cannot be imported, or is not a toolset.
    """
    found = installed_toolsets().get(name)
    if found is None and _PLACE.fullmatch(name) is None:
        raise SettingsError(_unknown(name))
    point = found or EntryPoint(name, name, ENTRY_POINT_GROUP)
    try:
        loaded = point.load()
    except Exception as error:
        raise SettingsError(
            f"The toolset {excerpt(name)} cannot be loaded: {type(error).__name__}: {excerpt(str(error), 200)}. "
            "Check the name, and that its package is installed in this environment."
        ) from error
    if not isinstance(loaded, Toolset):
        raise SettingsError(f"{excerpt(point.value)} is not a toolset: it must be a coatcheck.toolsets.Toolset.")
    return loaded


def _unknown(name: str) -> str:
    known = sorted(installed_toolsets())
    near = close_names(name, known)
    hint = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(known) if known else "none is installed"
    return (
        f"There is no toolset {excerpt(name)}; installed: {listed}.{hint} One of your own is given as module:attribute."
    )
