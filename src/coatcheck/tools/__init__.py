"""Tools for the model that work on stored objects."""

from coatcheck.tools.object_store import object_store_tools

__all__ = ["object_store_tools"]
