"""Measure deepset-mcp for ``run.py``: runs in a separate environment and prints JSON.

Only its store, explorer and decorators are imported: the package itself downloads a model when it is imported.
"""

import importlib.util
import json
import sys
import types
from typing import Any


def _import_tokonomics() -> Any:
    spec = importlib.util.find_spec("deepset_mcp")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("deepset_mcp is not installed here")
    package = types.ModuleType("deepset_mcp")  # importing the real package downloads a model
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["deepset_mcp"] = package
    return importlib.import_module("deepset_mcp.tokonomics")


def main() -> None:
    """Measure and print seconds by name."""
    from measuring import alternating, median
    from values import one_kilobyte, twelve_megabytes

    tokonomics = _import_tokonomics()
    store = tokonomics.ObjectStore(tokonomics.InMemoryBackend())
    explorer = tokonomics.RichExplorer(store)
    small, large = one_kilobyte(), twelve_megabytes()
    small_id, large_id = store.put(small), store.put(large)

    @tokonomics.referenceable(object_store=store, explorer=explorer)
    def take(value: str) -> str:
        return value

    def put_and_preview() -> str:
        fresh = tokonomics.ObjectStore(tokonomics.InMemoryBackend())
        return str(tokonomics.RichExplorer(fresh).explore(fresh.put(large)))

    assert "user number 5000" in explorer.explore(large_id, "[5000].name")
    assert take(value=f"@{large_id}.[5000].name") == "user number 5000"
    quick = alternating(
        {
            "preview 1 kB": lambda: explorer.explore(small_id),
            "put 1 kB": lambda: store.put(small),
            "get 1 kB": lambda: store.get(small_id),
            "put and preview 1 kB": lambda: explorer.explore(store.put(small)),
        },
        rounds=15,
        calls=20,
    )
    slow = alternating(
        {
            "put and preview 12 MB": put_and_preview,
            "path again": lambda: explorer.explore(large_id, "[5000].name"),
            "argument again": lambda: take(value=f"@{large_id}.[5000].name"),
        },
        rounds=7,
    )
    print(json.dumps({name: median(times) for name, times in (quick | slow).items()}))


if __name__ == "__main__":
    main()
