import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from coatcheck.backends import BackendStatistics, InMemoryBackend, ObjectStoreBackend, RedisBackend, SQLiteBackend
from coatcheck.codec import ToolResult
from coatcheck.errors import ListingUnsupported, ObjectNotFound, ObjectTooLarge, ObjectUnreadable
from coatcheck.explorer import Explorer
from coatcheck.object_store import Caller, CallerKind, ObjectStore
from coatcheck.store.tenancy import Tenancy
from tests.minimal_backend import FourMethods
from tests.strategies import json_values
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "redis", "valkey", "four methods"])
def backend(request: pytest.FixtureRequest) -> Iterator[ObjectStoreBackend]:
    if request.param == "memory":
        yield InMemoryBackend()
    elif request.param == "four methods":
        yield FourMethods()
    else:
        server = request.getfixturevalue(f"{request.param}_server")
        made = RedisBackend(server.url, prefix=f"{request.node.name}:", timeout=15)
        yield made
        made.close()


@pytest.fixture
def store(backend: ObjectStoreBackend) -> ObjectStore:
    return ObjectStore(backend)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(value=json_values)
def test_any_json_value_is_stored_unchanged(store, value):
    assert store.fetch(store.put(value)) == value


async def test_sync_and_async_methods_see_the_same_objects(store):
    value = {"rows": [{"n": n} for n in range(1000)]}
    by_sync, by_async = store.put(value), await store.aput(value)
    assert await store.aget(by_sync) == value
    assert store.get(by_async) == value
    assert (await store.ametadata(by_sync)).length == store.metadata(by_async).length == 1
    assert await store.adelete(by_sync)
    assert not store.delete(by_sync)
    assert await store.aget(by_sync) is None
    await store.aclose()


def test_a_stored_none_is_distinguished_from_a_missing_object(store):
    object_id = store.put(None)
    assert store.get(object_id) is None
    assert store.fetch(object_id) is None
    assert store.get("obj_nothing") is None
    with pytest.raises(ObjectNotFound) as caught:
        store.fetch("obj_nothing")
    assert caught.value.object_id == "obj_nothing"


@pytest.mark.parametrize("convert", [bytes.decode, memoryview])
def test_a_backend_that_returns_something_else_than_bytes_is_named_as_the_cause(convert: Any) -> None:
    backend = FourMethods()
    stored = backend.get
    backend.get = lambda key: convert(stored(key))
    store = ObjectStore(backend)
    with pytest.raises(ObjectUnreadable, match=r"The backend returned (str|memoryview), and its get must return bytes"):
        store.get(store.put([1]))


def test_changing_a_value_later_does_not_change_the_stored_one(store):
    value = {"rows": [1, 2]}
    object_id = store.put(value)
    value["rows"].append(3)
    assert store.get(object_id) == {"rows": [1, 2]}


def test_lifetimes_of_fractions_of_a_second_are_respected(backend):
    store = ObjectStore(backend, ttl=0.3)
    object_id = store.put("short-lived")
    assert store.get(object_id) == "short-lived"
    wait_until(lambda: store.get(object_id) is None, "it expires")


@pytest.mark.parametrize("ttl", [0, -1, -0.5])
def test_zero_or_less_means_that_objects_do_not_expire(backend, ttl):
    seen: list[float | None] = []

    class Watching(FourMethods):
        def __init__(self) -> None:
            super().__init__()
            self.set = lambda key, value, ttl_seconds: seen.append(ttl_seconds)

    ObjectStore(Watching(), ttl=ttl).put(1)
    assert seen == [None]


def test_a_caller_of_an_unknown_kind_or_without_an_identity_is_refused() -> None:
    tenancy: Any = Tenancy("secret")
    kind: Any = "anonymous"
    with tenancy.enter(Caller(kind)):
        assert not tenancy.may_list()
    for made, error in (
        (lambda: Caller("anonymus"), ValueError),
        (lambda: Caller(CallerKind.PRINCIPAL, None), TypeError),
    ):
        with pytest.raises(error):
            made()
    with pytest.raises(TypeError, match=r"takes a Caller\(CallerKind.PRINCIPAL, …\), not str"), tenancy.enter("alice"):
        pass
    with pytest.raises(TypeError, match="namespace must be a function that returns a text, not str"):
        ObjectStore(InMemoryBackend(), namespace=kind)


def test_namespaces_are_isolated(backend):
    current = "alice"
    store = ObjectStore(backend, namespace=lambda: current)
    object_id = store.put("hers")
    current = "bob"
    assert store.get(object_id) is None
    assert not store.delete(object_id)
    for guess in (f"alice:{object_id}", f"../alice:{object_id}", f":{object_id}", f"*:{object_id}"):
        assert store.get(guess) is None
        assert not store.delete(guess)
        with pytest.raises(ObjectNotFound):
            store.metadata(guess)
    current = "alice"
    assert store.get(object_id) == "hers"


async def test_listing_shows_the_callers_objects_newest_first(backend, request):
    if "four methods" in request.node.name:
        with pytest.raises(ListingUnsupported, match="cannot be listed"):
            ObjectStore(backend).list()
        return
    current = "alice"
    store = ObjectStore(backend, namespace=lambda: current)
    mine = [store.put([number], tool=f"tool_{number}") for number in range(3)]
    current = "bob"
    store.put("his")
    current = "alice"
    for listed in (store.list(), await store.alist()):
        assert {summary.object_id for summary in listed} == set(mine)
        created = [summary.metadata.created for summary in listed]
        assert created == sorted(created, reverse=True)
        assert {summary.metadata.tool for summary in listed} == {"tool_0", "tool_1", "tool_2"}
    await store.aclose()


def test_a_caller_who_may_not_list_gets_the_reason(backend):
    with pytest.raises(ListingUnsupported, match="without authentication"):
        ObjectStore(backend, may_list=lambda: False).list()


def test_an_object_over_the_limit_is_refused_with_both_sizes(backend):
    with pytest.raises(ObjectTooLarge) as caught:
        ObjectStore(backend, max_object_bytes=1000).put("x" * 1001)
    assert (caught.value.size, caught.value.limit) == (1001, 1000)


@pytest.mark.parametrize(
    ("value", "type_", "length"),
    [([1, 2, 3], "array", 3), ({"a": 1}, "object", 1), ("text", "string", 4), (5, "integer", None), ([], "array", 0)]
    + [(1.5, "number", None), (True, "boolean", None), (None, "null", None), ((1, 2), "array", 2)],
)
def test_metadata_has_type_and_length(store, value, type_, length):
    metadata = store.metadata(store.put(value, tool="made_by"))
    assert (metadata.type, metadata.length, metadata.tool) == (type_, length, "made_by")


def test_text_is_read_byte_for_byte_and_a_tool_result_exactly(store):
    text = '{"a": 1}  \r\n\ttrailing'
    assert store.read(store.put(text)).text() == text
    result: dict[str, Any] = {"content": [{"type": "text", "text": ' {"a": 1.0} '}], "_meta": {"x": None}}
    stored = store.read(store.put(ToolResult(result)))
    assert stored.result() == result
    assert stored.value() == {"a": 1.0}
    assert stored.text() == ' {"a": 1.0} '


def test_a_peek_includes_only_small_payloads(store):
    small, large = store.put("x" * 100), store.put("x" * 5000)
    assert store.peek(small, 1000).value() == "x" * 100
    assert len(store.peek(large, 1000).payload) == 0
    assert store.peek(large, 1000).metadata.size == 5000


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_an_object_that_is_read_often_is_not_evicted(kind, tmp_path):
    now = [1_000.0]
    made = {
        "memory": lambda: InMemoryBackend(max_namespace_objects=3),
        "sqlite": lambda: SQLiteBackend(tmp_path / "file", max_namespace_objects=3, clock=lambda: now[0]),
    }
    store = ObjectStore(made[kind]())
    first = store.put("kept")
    for number in range(6):
        now[0] += 2
        await store.apeek(first) if number % 2 else store.peek(first)
        store.list()
        now[0] += 2
        other = store.put(number)
    assert store.get(first) == "kept"
    assert store.get(other) == 5
    store.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_unused_objects_expire_after_the_idle_time_and_used_ones_stay(kind, tmp_path):
    now = [1_000.0]
    made = {
        "memory": lambda: InMemoryBackend(max_idle=10, clock=lambda: now[0]),
        "sqlite": lambda: SQLiteBackend(tmp_path / "file", max_idle=10, clock=lambda: now[0]),
    }
    store = ObjectStore(made[kind](), ttl=60)
    read, peeked, only_listed = store.put("read"), store.put("looked at"), store.put("only listed")
    for _ in range(6):
        now[0] += 9
        assert await store.aget(read) == "read"
        assert (await store.apeek(peeked)).metadata.length == len("looked at")
        listed = {summary.object_id for summary in store.list()}
        assert listed == ({read, peeked, only_listed} if now[0] < 1_010 else {read, peeked})
    assert await store.aget(only_listed) is None
    now[0] += 9  # constantly used, and still not beyond its ttl
    assert await store.aget(read) is None
    with pytest.raises(ObjectNotFound):
        await store.apeek(peeked)
    store.put("new")
    assert store.backend.statistics() == BackendStatistics(1, store.backend.statistics().bytes, 0, 3)
    store.close()


def test_a_store_and_its_explorer_are_freed_without_the_garbage_collector():
    gc.disable()
    try:
        explorer = Explorer(ObjectStore(InMemoryBackend()))
        explorer.put_and_preview(["large"] * 100)
        freed = weakref.ref(explorer), weakref.ref(explorer.store)
        del explorer
        assert [found() for found in freed] == [None, None]
    finally:
        gc.enable()
