"""Find a toolset by its installed name or by ``module:attribute``."""

import re
from importlib.metadata import EntryPoint, entry_points

from coatcheck.errors import SettingsError, excerpt
from coatcheck.references import close_names
from coatcheck.toolsets.toolset import Toolset

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
