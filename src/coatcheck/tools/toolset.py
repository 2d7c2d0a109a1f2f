"""Find a toolset by its installed name or by ``module:attribute``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from coatcheck.errors import SettingsError, excerpt
from coatcheck.references import close_names
from coatcheck.tools.tool_building import Registry


@dataclass(frozen=True, slots=True)
class Toolset:
    """Tools that are installed together.

    Attributes:
        name: What ``--toolset`` takes.
        tools: Gives the tools; it is called with the settings, or without arguments where there are none.
        settings: Model of the settings; a ``BaseSettings`` reads its own variables. Its fields become flags of
            ``coatcheck serve``.
        description: One line for listings.
    """

    name: str
    tools: Callable[..., Registry]
    settings: type[BaseModel] | None = None
    description: str = ""

    def registry(self, options: Mapping[str, Any] | None = None) -> Registry:
        """Give the tools, with these settings.

        Raises:
            SettingsError: Settings that the toolset does not have or that do not fit; no value is quoted.
        """
        if self.settings is None:
            if options:
                raise SettingsError(f"The toolset {self.name} has no settings, so not {', '.join(options)} either.")
            return self.tools()
        unknown = [name for name in options or {} if name not in self.settings.model_fields]
        if unknown:
            known = ", ".join(self.settings.model_fields)
            raise SettingsError(f"The toolset {self.name} has no setting {', '.join(unknown)}; there are: {known}.")
        try:
            return self.tools(self.settings(**(options or {})))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            text = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
            raise SettingsError(f"Settings of the toolset {self.name}: {text}.") from None


ENTRY_POINT_GROUP = "coatcheck.toolsets"
_PLACE = re.compile(r"[\w.]+:[\w.]+")


def installed_toolsets() -> dict[str, EntryPoint]:
    """Toolsets that installed packages offer, by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def load_toolset(name: str) -> Toolset:
    """Load a toolset by its installed name, or by ``module:attribute``.

    Raises:
        SettingsError: There is none, it cannot be imported, or it is no toolset.
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
            "Check that its package is installed in this environment."
        ) from error
    if not isinstance(loaded, Toolset):
        raise SettingsError(f"{excerpt(point.value)} is no toolset: it must be a coatcheck.toolsets.Toolset.")
    return loaded


def _unknown(name: str) -> str:
    known = sorted(installed_toolsets())
    near = close_names(name, known)
    hint = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(known) if known else "none is installed"
    return (
        f"There is no toolset {excerpt(name)}; installed: {listed}.{hint} One of your own is given as module:attribute."
    )
