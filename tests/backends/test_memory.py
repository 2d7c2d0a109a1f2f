import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import count
from math import inf, nan

import pytest

from coatcheck import Explorer, ObjectStore
from coatcheck.backends import CircuitBreaker, InMemoryBackend, RedisBackend, SQLiteBackend
from coatcheck.backends.memory import SWEEP_BATCH
from coatcheck.errors import ObjectTooLarge


def keys(backend):
    return sorted(backend.scan(""))


def test_ids_are_counted_with_at_least_three_digits():
    backend = InMemoryBackend()
    ids = [backend.generate_id() for _ in range(1000)]
    assert [ids[0], ids[8], ids[99], ids[999]] == ["obj_001", "obj_009", "obj_100", "obj_1000"]
    assert InMemoryBackend().generate_id() == "obj_001"


def test_an_entry_lives_up_to_its_deadline_and_not_at_it(clock):
    backend = InMemoryBackend(clock=clock)
    backend.set("a", b"1", 0.5)
    clock.now += 0.499
    assert backend.get("a") == b"1"
    clock.now += 0.001
    assert backend.get("a") is None


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan")])
def test_a_lifetime_of_zero_removes_the_old_value(clock, ttl):
    backend = InMemoryBackend(clock=clock)
    backend.set("a", b"1", None)
    backend.set("a", b"2", ttl)
    assert backend.get("a") is None
    assert backend.statistics().objects == 0


def test_an_infinite_lifetime_never_ends(clock):
    backend = InMemoryBackend(clock=clock)
    backend.set("a", b"1", float("inf"))
    clock.now += 1e12
    assert backend.get("a") == b"1"


@pytest.mark.parametrize(
    "operation",
    [
        lambda backend: backend.set("other", b"x", None),
        lambda backend: backend.get("other"),
        lambda backend: backend.head("other", 1),
        lambda backend: backend.delete("other"),
        lambda backend: list(backend.scan("none")),
        lambda backend: backend.statistics(),
    ],
    ids=["set", "get", "head", "delete", "scan", "statistics"],
)
def test_any_operation_frees_expired_values(clock, operation):
    backend = InMemoryBackend(clock=clock)
    value = bytes(1000)
    references = sys.getrefcount(value)
    backend.set("a", value, 1.0)
    clock.now += 2
    assert sys.getrefcount(value) == references + 1
    operation(backend)
    assert sys.getrefcount(value) == references
    assert backend.statistics().expirations == 1


def test_a_mass_expiry_is_spread_over_operations_and_expired_values_are_invisible(clock):
    backend = InMemoryBackend(clock=clock)
    for number in range(3 * SWEEP_BATCH):
        backend.set(f"n:{number}", b"x", 1.0)
    clock.now += 1
    assert backend.get("n:2999") is None
    assert len(backend._entries) == 2 * SWEEP_BATCH
    assert list(backend.scan("n:")) == []
    assert backend.delete(f"n:{3 * SWEEP_BATCH - 1}") is False
    assert backend.statistics().objects == 0


def test_the_least_recently_used_goes_first_and_get_counts_as_use(clock):
    backend = InMemoryBackend(max_objects=3, clock=clock)
    for name in "abc":
        backend.set(name, name.encode(), None)
    backend.get("a")
    backend.set("b", b"again", None)
    backend.set("d", b"d", None)
    assert keys(backend) == ["a", "b", "d"]
    assert backend.statistics().evictions == 1


def test_head_and_scan_do_not_count_as_use():
    backend = InMemoryBackend(max_objects=2)
    backend.set("a", b"1", None)
    backend.set("b", b"2", None)
    backend.head("a", 1)
    list(backend.scan(""))
    backend.set("c", b"3", None)
    assert keys(backend) == ["b", "c"]


def test_total_bytes_are_bounded_and_freed():
    backend = InMemoryBackend(max_bytes=10)
    backend.set("a", b"12345", None)
    backend.set("b", b"12345", None)
    assert backend.statistics().bytes == 10
    backend.set("b", b"123", None)
    backend.set("c", b"12", None)
    assert keys(backend) == ["a", "b", "c"]
    backend.set("d", b"123456", None)
    assert keys(backend) == ["c", "d"]
    assert backend.statistics().bytes == 8
    backend.delete("d")
    assert backend.statistics().bytes == 2


def test_a_full_namespace_drops_its_own_objects_and_no_others():
    backend = InMemoryBackend(max_namespace_objects=2, max_namespace_bytes=10)
    for key in ("x:1", "y:1", "x:2", "y:2", "plain", "x:3"):
        backend.set(key, b"1", None)
    assert keys(backend) == ["plain", "x:2", "x:3", "y:1", "y:2"]
    backend.set("y:3", b"1234567890", None)
    assert keys(backend) == ["plain", "x:2", "x:3", "y:3"]


def test_the_namespace_is_the_key_up_to_the_last_colon():
    backend = InMemoryBackend(max_namespace_objects=1)
    for key in ("a:b:1", "a:1", "1", "a:b:2"):
        backend.set(key, b"", None)
    assert keys(backend) == ["1", "a:1", "a:b:2"]


def test_expired_values_are_removed_before_live_ones(clock):
    backend = InMemoryBackend(max_bytes=4 * SWEEP_BATCH, clock=clock)
    backend.set("old but alive", b"1", None)
    for number in range(3 * SWEEP_BATCH):
        backend.set(f"short:{number}", b"1", 1.0)
    clock.now += 1
    backend.set("new", b"x" * (3 * SWEEP_BATCH), None)
    assert backend.get("old but alive") == b"1"
    assert backend.statistics().evictions == 0


def test_the_least_recently_used_of_a_namespace_is_evicted_first():
    backend = InMemoryBackend(max_namespace_objects=2)
    backend.set("x:1", b"1", None)
    backend.set("x:2", b"1", None)
    backend.get("x:1")
    backend.set("x:3", b"1", None)
    assert keys(backend) == ["x:1", "x:3"]


def test_idle_values_are_removed_before_live_ones_and_do_not_count_as_evictions(clock):
    backend = InMemoryBackend(max_namespace_objects=2, max_idle=10, clock=clock)
    backend.set("x:unused", b"1", None)
    backend.set("x:used", b"1", None)
    clock.now += 9
    assert backend.get("x:used") == b"1"
    backend.set("y:1", b"1", 3600)
    clock.now += 1
    assert (backend.head("x:unused", 1), backend.delete("x:unused")) == (None, False)
    backend.set("x:new", b"1", None)
    assert keys(backend) == ["x:new", "x:used", "y:1"]
    clock.now += 9
    assert keys(backend) == ["x:new"]
    assert (backend.statistics().evictions, backend.statistics().expirations) == (0, 3)


def test_many_idle_values_are_freed_in_batches(clock):
    backend = InMemoryBackend(max_idle=10, clock=clock)
    for number in range(3 * SWEEP_BATCH):
        backend.set(f"old:{number}", b"1", None)
    clock.now += 10
    backend.set("new", b"1", None)
    assert len(backend._entries) == 2 * SWEEP_BATCH + 1
    assert keys(backend) == ["new"]


@pytest.mark.parametrize("bounds", [{"max_bytes": 10}, {"max_namespace_bytes": 10}])
def test_a_value_that_cannot_fit_is_refused_and_evicts_nothing(bounds):
    backend = InMemoryBackend(**bounds)
    backend.set("a", b"old", None)
    backend.set("b", b"other", None)
    with pytest.raises(ObjectTooLarge) as refused:
        backend.set("a", b"x" * 11, None)
    assert (refused.value.size, refused.value.limit) == (11, 10)
    assert (backend.get("a"), backend.get("b")) == (b"old", b"other")
    backend.set("a", b"x" * 10, None)
    assert keys(backend) == ["a"]


def test_without_bounds_nothing_is_evicted():
    backend = InMemoryBackend()
    for number in range(5000):
        backend.set(f"n:{number}", b"x" * 100, None)
    assert backend.statistics().objects == 5000
    assert backend.statistics().bytes == 500_000


@pytest.mark.parametrize(
    ("create", "whole", "fractions"),
    [
        (InMemoryBackend, ("max_objects", "max_bytes", "max_namespace_objects", "max_namespace_bytes"), ("max_idle",)),
        (partial(SQLiteBackend, "x"), ("max_bytes", "max_namespace_objects", "max_namespace_bytes"), ("max_idle",)),
        (partial(SQLiteBackend, "x"), (), ("timeout",)),
        (partial(RedisBackend, "redis://h"), ("max_connections",), ("timeout", "connect_timeout")),
        (partial(CircuitBreaker, print), ("failures",), ("first_pause", "longest_pause")),
        (partial(ObjectStore, InMemoryBackend()), ("max_object_bytes", "compress_above"), ()),
        (partial(Explorer, ObjectStore(InMemoryBackend())), ("preview_limit", "response_limit"), ()),
    ],
)
def test_a_limit_that_is_no_number_or_negative_is_refused_by_its_name(create, whole, fractions):
    for name in (*whole, *fractions):
        create(**{name: 1000})
        for given in ("5", True, *((1.5,) if name in whole else ())):
            with pytest.raises(TypeError, match=rf": {name} must be a (whole )?number, not {type(given).__name__}\.$"):
                create(**{name: given})
        for given in (-1, *((nan, inf) if name in fractions else ())):
            with pytest.raises(ValueError, match=rf": {name} must be .*, not {given}\.$"):
                create(**{name: given})


def test_a_lifetime_is_any_finite_number():
    assert [ObjectStore(InMemoryBackend(), ttl=ttl).ttl for ttl in (-1, 0, 0.5, 60)] == [-1, 0, 0.5, 60]
    for given in (None, "60", timedelta(1)):
        with pytest.raises(TypeError, match=r"^ObjectStore: ttl must be a number, not "):
            ObjectStore(InMemoryBackend(), ttl=given)
    with pytest.raises(ValueError, match=r"^ObjectStore: ttl must be finite, not inf"):
        ObjectStore(InMemoryBackend(), ttl=inf)


def test_a_stored_value_is_a_copy():
    backend = InMemoryBackend()
    given = bytearray(b"before")
    backend.set("a", given, None)
    given[:] = b"after!"
    assert backend.get("a") == b"before"


def test_a_value_that_is_not_bytes_is_refused():
    backend = InMemoryBackend()
    for wrong in ("text", 5, None):
        with pytest.raises(TypeError):
            backend.set("a", wrong, None)
    assert backend.get("a") is None


def test_repeated_overwriting_and_deleting_needs_no_more_memory(clock):
    backend = InMemoryBackend(clock=clock)
    backend.set("first", b"x", 10.0)
    for number in range(20_000):
        backend.set("same", b"x", 100.0 + number % 7)
        backend.set(f"n:{number}", b"x", 50.0)
        backend.delete(f"n:{number}")
    assert len(backend._deadlines) == 2
    assert len(backend._namespaces) == 1
    clock.now += 10.5
    assert keys(backend) == ["same"]


def test_an_old_deadline_does_not_end_a_new_value(clock):
    backend = InMemoryBackend(clock=clock)
    backend.set("a", b"1", 1.0)
    backend.set("a", b"2", 10.0)
    backend.set("b", b"1", 1.0)
    backend.delete("b")
    backend.set("b", b"2", None)
    clock.now += 5
    assert (backend.get("a"), backend.get("b")) == (b"2", b"2")


def test_counts_stay_consistent_with_many_threads():
    ticks = count()
    backend = InMemoryBackend(
        max_objects=50, max_bytes=5000, max_namespace_objects=20, clock=lambda: next(ticks) / 1000
    )

    def work(thread):
        for turn in range(1500):
            key = f"{(thread + turn) % 4}:{turn % 31}"
            backend.set(key, b"x" * (turn % 200), None if turn % 3 else 0.05)
            backend.get(f"{turn % 4}:{thread}")
            if turn % 5 == 0:
                backend.delete(key)
            if turn % 50 == 0:
                list(backend.scan("1:"))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)
    statistics = backend.statistics()
    left = keys(backend)
    assert statistics.objects <= 50
    assert statistics.bytes <= 5000
    assert sum(len(backend.get(key) or b"") for key in left) <= statistics.bytes
    for key in left:
        backend.delete(key)
    assert (backend.statistics().objects, backend.statistics().bytes, backend._namespaces) == (0, 0, {})
