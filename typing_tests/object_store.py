"""Parameters and return types of the store, sync and async."""

from typing import Any, assert_type

from coatcheck import Explorer, InMemoryBackend, ObjectStore

store = ObjectStore(InMemoryBackend(), ttl=3600)

assert_type(store.put({"rows": [1, 2, 3]}), str)
assert_type(store.put("text", tool="reader", media_type="text/markdown"), str)
assert_type(store.get("obj_001"), Any | None)
assert_type(store.fetch("obj_001"), Any)
assert_type(store.delete("obj_001"), bool)
assert_type(store.ping(), None)
store.get(1)  # type: ignore[arg-type]
store.put()  # type: ignore[call-arg]

explorer = Explorer(store, preview_limit=500)
assert_type(explorer.preview("obj_001"), str)
assert_type(explorer.slice("obj_001", 0, 10, path="rows"), str)
explorer.slice("obj_001", "0")  # type: ignore[arg-type]


async def in_a_coroutine() -> None:
    """The async methods return the same types."""
    assert_type(await store.aput([1, 2, 3]), str)
    assert_type(await store.aget("obj_001"), Any | None)
    assert_type(await store.afetch("obj_001"), Any)
    assert_type(await store.adelete("obj_001"), bool)
    assert_type(await explorer.apreview("obj_001"), str)
