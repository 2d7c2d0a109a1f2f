"""Decorators: results are kept in the object store, and arguments may be references to stored objects.

    @explorable(object_store=store)                   # the result is stored, the caller gets a preview
    @referenceable(object_store=store)                # arguments may be "@obj_001" or "@obj_001.items[3].name"
    @explorable_and_referenceable(object_store=store) # both

Each takes the store and the explorer, or a zero-argument provider of them that is called each time, so that an
override in a container reaches functions that were decorated before. Without an explorer, one with default limits is
created over the store. Sync functions stay sync, async functions stay async. The functions work with and without MCP.
"""

from coatcheck.tools.explorable import explorable, explorable_and_referenceable
from coatcheck.tools.referenceable import referenceable, resolves_references

__all__ = ["explorable", "explorable_and_referenceable", "referenceable", "resolves_references"]
