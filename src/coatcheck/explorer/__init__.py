"""Looking at stored objects: previews, ranges, searches, filters, references, each answer bounded."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatcheck.explorer.core import Kept as Kept
    from coatcheck.explorer.explorer import Explorer as Explorer
    from coatcheck.explorer.reference_values import Found as Found

__all__ = ["Explorer", "Found", "Kept"]


def __getattr__(name: str) -> Any:
    # A worker of the sandbox imports this package too, and needs neither the store nor its backends.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("coatcheck.explorer.explorer"), name)
