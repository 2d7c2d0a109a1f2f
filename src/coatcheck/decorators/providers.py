"""The store and the explorer of a decorated function: given, provided at each call, or made once."""

import inspect
import threading
from collections.abc import Callable
from typing import TypeAlias

from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore

StoreSource: TypeAlias = ObjectStore | Callable[[], ObjectStore]
ExplorerSource: TypeAlias = Explorer | Callable[[], Explorer]


def explorer_provider(object_store: StoreSource, explorer: ExplorerSource | None) -> Callable[[], Explorer]:
    """A provider of the explorer to use: the given one, the provided one, or one made over the store at first use.

    Raises:
        TypeError: What is given for a store is neither one nor a provider of one.
    """
    if not isinstance(object_store, ObjectStore) and not callable(object_store):
        raise TypeError(
            f"object_store wants an ObjectStore or a provider of one, not {type(object_store).__name__}; "
            "over a backend one is made by ObjectStore(backend)."
        )
    if explorer is None:
        return _made_once(object_store)
    if callable(explorer):
        return explorer
    given: Explorer = explorer
    return lambda: given


def _made_once(object_store: StoreSource) -> Callable[[], Explorer]:
    made: list[Explorer] = []
    lock = threading.Lock()

    def provide() -> Explorer:
        with lock:
            if not made:
                made.append(Explorer(object_store))
        return made[0]

    return provide


def with_note(doc: str | None, note: str) -> str:
    """The docstring with a paragraph at its end."""
    return f"{inspect.cleandoc(doc)}\n\n{note}" if doc else note
