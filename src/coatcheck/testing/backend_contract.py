# ruff: noqa: D102, S101  (a test is asserts, and its name says what it is about)
"""The requirements of every backend, as tests for your own backend.

Example, the whole of a test file::

    import pytest
    from coatcheck.testing import BackendContract

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def backend(self):
            return MyBackend()

Each test uses its own namespace, so the store of the backend may be shared and need not be empty. Optional methods
(asynchronous forms, ``head``, ``scan``, ``ping``, ``close``) are called like coatcheck calls them, with the defaults of
`coatcheck.backends.Backend`. No pytest plugin is needed.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from coatcheck.backends import Backend, ObjectStoreBackend, as_backend, require_backend
from coatcheck.errors import ListingUnsupported

ID = re.compile(r"obj_[A-Za-z0-9_-]+")
BINARY = bytes(range(256)) * 4 + b"\r\n\0\xff"
LARGE = BINARY * 5_100  # over 5 MB
THREADS = 8
TTL = 0.2  # seconds
CLOCK_ERROR = 0.005  # seconds: servers count whole milliseconds on their own clock
PATIENCE = 10.0  # seconds until a test gives up waiting for an expiry
POLL = 0.01  # seconds
STRANGE_IDS = (
    "a:b:c",
    ":",
    "::x",
    "*",
    "?",
    "[ab]",
    "a\\*",
    "^-]",
    "ключ",
    "鍵🔑",
    "with space",
    "new\nline",
    "nul\0x",
)


class BackendContract:
    """Subclass it with a name that starts with ``Test`` and override `backend`."""

    @pytest.fixture
    def backend(self) -> Any:
        """Override: a backend that is ready for use; yield it instead to clean up afterwards."""
        raise NotImplementedError("Override the fixture 'backend' and return the backend to test.")

    @pytest.fixture
    def key(self) -> str:
        """A key that no other test uses; `namespace` is the part before its last colon."""
        return f"contract-{uuid.uuid4().hex}:obj_001"

    @pytest.fixture
    def namespace(self, key: str) -> str:
        """The namespace of `key`."""
        return key.rpartition(":")[0]

    def test_has_the_required_methods(self, backend: Any) -> None:
        assert require_backend(backend) is backend
        assert isinstance(backend, ObjectStoreBackend)

    def test_ids_are_well_formed_and_never_the_same_even_from_many_threads(self, backend: Any) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            ids = list(pool.map(lambda _: backend.generate_id(), range(THREADS * 50)))
        assert len(set(ids)) == len(ids)
        assert [each for each in ids if not ID.fullmatch(each)] == []

    @pytest.mark.parametrize("value", [b"", b"x", b'{"a": 1}\n', BINARY, LARGE], ids=len)
    def test_gives_back_the_bytes_it_was_given(self, backend: Any, key: str, value: bytes) -> None:
        backend.set(key, value, 60.0)
        found = backend.get(key)
        assert type(found) is bytes
        assert found == value

    def test_a_missing_key_reads_as_none_and_deletes_as_false(self, backend: Any, key: str) -> None:
        assert backend.get(key) is None
        assert backend.delete(key) is False

    def test_a_second_set_replaces_the_first(self, backend: Any, key: str) -> None:
        backend.set(key, b"first, and longer", 60.0)
        backend.set(key, b"second", 60.0)
        assert backend.get(key) == b"second"

    def test_delete_removes_and_says_whether_there_was_something(self, backend: Any, key: str) -> None:
        backend.set(key, b"value", None)
        assert backend.delete(key) is True
        assert backend.get(key) is None
        assert backend.delete(key) is False

    def test_a_fraction_of_a_second_is_a_lifetime(self, backend: Any, key: str) -> None:
        start = time.monotonic()
        backend.set(key, b"value", TTL)
        lived = _lifetime(lambda: backend.get(key), start)
        assert lived >= TTL - CLOCK_ERROR
        assert backend.delete(key) is False

    def test_a_tiny_lifetime_ends_and_none_or_a_long_one_does_not(self, backend: Any, key: str, namespace: str) -> None:
        backend.set(f"{namespace}:for-ever", b"value", None)
        backend.set(f"{namespace}:long", b"value", 10.0**9)
        start = time.monotonic()
        backend.set(key, b"value", 0.0001)
        _lifetime(lambda: backend.get(key), start)
        assert backend.get(f"{namespace}:for-ever") == b"value"
        assert backend.get(f"{namespace}:long") == b"value"

    def test_setting_again_restarts_the_lifetime(self, backend: Any, key: str, namespace: str) -> None:
        backend.set(key, b"old", TTL)
        backend.set(key, b"new", None)
        backend.set(f"{namespace}:shorter", b"old", None)
        start = time.monotonic()
        backend.set(f"{namespace}:shorter", b"new", 2 * TTL)
        _lifetime(lambda: backend.get(f"{namespace}:shorter"), start)  # the first lifetime of key is over by then
        assert backend.get(key) == b"new"

    def test_any_text_is_a_key_and_different_keys_are_different_objects(self, backend: Any, namespace: str) -> None:
        values = {f"{namespace}:{name}": name.encode() for name in STRANGE_IDS}
        for each, value in values.items():
            backend.set(each, value, 60.0)
        assert {each: backend.get(each) for each in values} == values
        for each in values:
            assert backend.delete(each) is True
        assert [each for each in values if backend.get(each) is not None] == []

    def test_threads_do_not_get_each_other_s_values(self, backend: Any, namespace: str) -> None:
        def work(thread: int) -> list[int]:
            wrong = []
            for turn in range(25):
                mine, value = f"{namespace}:{thread}-{turn}", f"{thread}-{turn};".encode() * (turn * 40 + 1)
                backend.set(mine, value, 60.0)
                backend.set(f"{namespace}:shared", value, 60.0)
                if backend.get(mine) != value or not _is_whole(backend.get(f"{namespace}:shared")):
                    wrong.append(turn)
            return wrong

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(work, range(THREADS))) == [[]] * THREADS

    def test_head_gives_the_first_bytes(self, backend: Any, key: str, namespace: str) -> None:
        full = as_backend(backend)
        backend.set(key, BINARY, 60.0)
        backend.set(f"{namespace}:empty", b"", 60.0)
        assert [full.head(key, n) for n in (0, 1, 100)] == [b"", BINARY[:1], BINARY[:100]]
        assert full.head(key, len(BINARY) + 1) == BINARY
        assert full.head(f"{namespace}:empty", 10) == b""
        assert full.head(f"{namespace}:missing", 10) is None
        assert full.head(f"{namespace}:missing", 0) is None

    def test_scan_names_live_keys_with_the_prefix_once_and_takes_it_literally(
        self, backend: Any, namespace: str
    ) -> None:
        keys = {f"{namespace}:{name}" for name in (*STRANGE_IDS, *map(str, range(600)))}
        for each in keys:
            backend.set(each, b"value", 60.0)
        for other in (f"{namespace}x:1", f"{namespace}", f"{namespace[:-1]}:1"):
            backend.set(other, b"value", 60.0)
        if not _can_list(backend):
            return
        assert sorted(backend.scan(f"{namespace}:")) == sorted(keys)
        for pattern in ("*", "?", "[ab]", "a\\", "^"):
            expected = sorted(each for each in keys if each.startswith(f"{namespace}:{pattern}"))
            assert sorted(backend.scan(f"{namespace}:{pattern}")) == expected

    def test_scan_does_not_name_what_is_deleted_or_expired(self, backend: Any, key: str, namespace: str) -> None:
        for name in ("kept", "deleted"):
            backend.set(f"{namespace}:{name}", b"value", 60.0)
        backend.delete(f"{namespace}:deleted")
        start = time.monotonic()
        backend.set(key, b"value", TTL)
        _lifetime(lambda: backend.get(key), start)
        if _can_list(backend):
            assert list(backend.scan(f"{namespace}:")) == [f"{namespace}:kept"]

    def test_asynchronous_calls_do_the_same_as_synchronous_ones(self, backend: Any, key: str) -> None:
        async def calls(full: Backend) -> None:
            assert await full.aget(key) is None
            await full.aset(key, BINARY, 60.0)
            assert await full.aget(key) == BINARY == backend.get(key)
            assert [await full.ahead(key, n) for n in (0, 7)] == [b"", BINARY[:7]]
            await full.aset(key, b"", 60.0)
            assert [await full.aget(key), await full.ahead(key, 7)] == [b"", b""]
            assert await full.adelete(key) is True
            assert await full.adelete(key) is False
            assert await full.ahead(key, 7) is None
            await full.aset(key, LARGE, None)
            assert await full.aget(key) == LARGE

        _run(backend, calls)

    def test_an_asynchronous_lifetime_is_as_long_as_asked(self, backend: Any, key: str) -> None:
        async def calls(full: Backend) -> None:
            start = time.monotonic()
            await full.aset(key, b"value", TTL)
            assert await _alifetime(full, key, start) >= TTL - CLOCK_ERROR

        _run(backend, calls)

    def test_asynchronous_scan_names_the_same_keys(self, backend: Any, namespace: str) -> None:
        keys = {f"{namespace}:{name}" for name in STRANGE_IDS}

        async def calls(full: Backend) -> None:
            for each in keys:
                await full.aset(each, b"value", 60.0)
            if _can_list(backend):
                assert sorted([each async for each in full.ascan(f"{namespace}:")]) == sorted(keys)
                assert [each async for each in full.ascan(f"{namespace}:[ab]")] == [f"{namespace}:[ab]"]

        _run(backend, calls)

    def test_tasks_do_not_get_each_other_s_values_even_when_some_are_cancelled(
        self, backend: Any, namespace: str
    ) -> None:
        async def work(full: Backend, number: int) -> bool:
            mine, value = f"{namespace}:{number}", f"{number};".encode() * (number * 40 + 1)
            await full.aset(mine, value, 60.0)
            return await full.aget(mine) == value

        async def calls(full: Backend) -> None:
            tasks = [asyncio.create_task(work(full, number)) for number in range(90)]
            for number in range(0, 90, 3):
                await asyncio.sleep(0)
                tasks[number].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [each for each in results if each is not True and not isinstance(each, asyncio.CancelledError)] == []
            assert all([await work(full, number) for number in range(10)])

        _run(backend, calls)

    def test_one_event_loop_after_the_other_can_use_it(self, backend: Any, key: str) -> None:
        async def put(full: Backend) -> None:
            await full.aset(key, b"value", 60.0)

        async def look(full: Backend) -> None:
            assert await full.aget(key) == b"value"

        for calls in (put, look, look):
            _run(backend, calls, close=False)

    def test_ping_returns_while_the_store_is_there(self, backend: Any) -> None:
        as_backend(backend).ping()
        _run(backend, lambda full: full.aping())

    def test_closing_twice_is_harmless(self, backend: Any) -> None:
        as_backend(backend).close()
        as_backend(backend).close()
        _run(backend, lambda full: full.aclose())


def _can_list(backend: Any) -> bool:
    try:
        as_backend(backend).scan("")
    except ListingUnsupported:
        return False
    return True


def _run(backend: Any, calls: Callable[[Backend], Coroutine[Any, Any, None]], *, close: bool = True) -> None:
    """Run ``calls`` in a new event loop, and close its resources before it ends."""

    async def main() -> None:
        full = as_backend(backend)
        try:
            await calls(full)
        finally:
            if close:
                await full.aclose()

    asyncio.run(main())


def _lifetime(read: Callable[[], bytes | None], start: float) -> float:
    """Seconds from ``start`` until ``read`` returns no value."""
    for _ in _waiting(start):
        if read() is None:
            return time.monotonic() - start
        time.sleep(POLL)
    raise AssertionError(f"still there after {PATIENCE} seconds")


async def _alifetime(full: Backend, key: str, start: float) -> float:
    for _ in _waiting(start):
        if await full.aget(key) is None:
            return time.monotonic() - start
        await asyncio.sleep(POLL)
    raise AssertionError(f"still there after {PATIENCE} seconds")


def _waiting(start: float) -> Iterator[None]:
    while time.monotonic() - start < PATIENCE:
        yield


def _is_whole(value: bytes | None) -> bool:
    """Whether ``value`` is one of the repeated texts that the threads write, not a mixture."""
    return value is not None and len(set(value.rstrip(b";").split(b";"))) == 1
