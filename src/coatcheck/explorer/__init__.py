"""Exploring stored objects: previews, ranges, searches, filters and references, all with bounded answers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatcheck.explorer.explorer import Explorer as Explorer
    from coatcheck.explorer.explorer_call import Kept as Kept
    from coatcheck.explorer.reference_values import Found as Found

__all__ = ["Explorer", "Found", "Kept"]


def __getattr__(name: str) -> Any:
    # Workers of the sandbox import this package too, and need neither the store nor its backends.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("coatcheck.explorer.explorer"), name)
