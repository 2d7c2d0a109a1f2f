"""Decorators that give a function a memory: results are kept, and arguments may be references to kept results.

    @explorable(object_store=store)                   # the result is stored, the caller gets a preview
    @referenceable(object_store=store)                # arguments may be "@obj_001" or "@obj_001.items[3].name"
    @explorable_and_referenceable(object_store=store) # both

Each takes the store and the explorer, or a zero-argument provider of them that is asked at every call, so that an
override in a container reaches functions that were decorated before. Without an explorer, one with default limits is
made over the store. Sync functions stay sync, async functions stay async. The functions work with and without MCP.
"""

from coatcheck.decorators.keeping import explorable
from coatcheck.decorators.providers import ExplorerSource, StoreSource, explorer_provider
from coatcheck.decorators.referring import Decorator, referenceable, resolves_references

__all__ = ["explorable", "explorable_and_referenceable", "referenceable", "resolves_references"]


def explorable_and_referenceable(*, object_store: StoreSource, explorer: ExplorerSource | None = None) -> Decorator:
    """Decorate a function so that it takes references and its result is kept.

    See `referenceable` for the arguments and `explorable` for the result.

    Args:
        object_store: The store, or a zero-argument provider of it.
        explorer: The explorer, or a zero-argument provider of it; by default one over ``object_store``.
    """
    provide = explorer_provider(object_store, explorer)
    keep = explorable(object_store=object_store, explorer=provide)
    refer = referenceable(object_store=object_store, explorer=provide)
    return lambda func: keep(refer(func))
