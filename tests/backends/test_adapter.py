import threading

import pytest

from coatcheck.backends import Backend, InMemoryBackend, as_backend, require_backend
from coatcheck.errors import ListingUnsupported, ObjectStoreUnavailable, WiringError


class FourMethods:
    """A backend that records the thread of each call."""

    def __init__(self):
        self.kept = {}
        self.threads = []

    def generate_id(self):
        return f"obj_{len(self.kept)}"

    def set(self, key, value, ttl_seconds):
        self.threads.append(threading.get_ident())
        self.kept[key] = value

    def get(self, key):
        self.threads.append(threading.get_ident())
        return self.kept.get(key)

    def delete(self, key):
        self.threads.append(threading.get_ident())
        return self.kept.pop(key, None) is not None


class NonBlocking(FourMethods):
    blocking = False


class OwnAsync(FourMethods):
    async def aset(self, key, value, ttl_seconds):
        self.kept[key] = b"async: " + value

    async def aget(self, key):
        return self.kept.get(key)

    async def adelete(self, key):
        return self.kept.pop(key, None) is not None


@pytest.mark.anyio
async def test_a_backend_that_may_block_is_called_in_another_thread():
    backend = FourMethods()
    full = as_backend(backend)
    await full.aset("a", b"12345", None)
    assert (await full.aget("a"), await full.ahead("a", 2), await full.adelete("a")) == (b"12345", b"12", True)
    assert len(backend.threads) == 4
    assert threading.get_ident() not in backend.threads


@pytest.mark.anyio
@pytest.mark.parametrize("backend", [NonBlocking(), InMemoryBackend()], ids=["own", "memory"])
async def test_a_non_blocking_backend_is_called_in_the_same_thread(backend):
    before = threading.active_count()
    full = as_backend(backend)
    await full.aset("a", b"12345", None)
    assert (await full.aget("a"), await full.ahead("a", 2), await full.adelete("a")) == (b"12345", b"12", True)
    assert set(getattr(backend, "threads", [])) <= {threading.get_ident()}
    assert threading.active_count() == before


@pytest.mark.anyio
async def test_asynchronous_methods_of_a_backend_are_used():
    backend = OwnAsync()
    full = as_backend(backend)
    await full.aset("a", b"x", None)
    assert await full.aget("a") == b"async: x"
    assert await full.ahead("a", 5) == b"async"
    assert await full.adelete("a") is True
    assert backend.threads == []


@pytest.mark.anyio
async def test_listing_with_a_backend_without_scan_is_a_clear_error():
    with pytest.raises(ListingUnsupported, match=r"FourMethods has no scan\(\)"):
        as_backend(FourMethods()).scan("")
    with pytest.raises(ListingUnsupported, match=r"FourMethods has no scan\(\)"):
        [key async for key in as_backend(FourMethods()).ascan("")]


@pytest.mark.anyio
async def test_ping_and_close_of_a_backend_without_them_do_nothing():
    as_backend(FourMethods()).ping()
    as_backend(FourMethods()).close()
    await as_backend(FourMethods()).aping()
    await as_backend(FourMethods()).aclose()


def test_head_of_a_backend_without_one_is_cut_from_the_whole_value():
    full = as_backend(FourMethods())
    full.set("a", b"12345", None)
    assert [full.head("a", n) for n in (-1, 0, 2, 9)] == [b"", b"", b"12", b"12345"]
    assert full.head("b", 2) is None


class Minimal(Backend):
    """The base class with only the required methods."""

    def __init__(self):
        self.kept = {}

    def generate_id(self):
        return f"obj_{len(self.kept)}"

    def set(self, key, value, ttl_seconds):
        self.kept[key] = value

    def get(self, key):
        return self.kept.get(key)

    def delete(self, key):
        if key == "broken":
            raise ConnectionError("refused by redis://:topsecret@host")
        return self.kept.pop(key, None) is not None


@pytest.mark.anyio
async def test_the_base_class_has_defaults_for_all_optional_methods():
    backend = as_backend(Minimal())
    await backend.aset("a", b"12345", None)
    assert (await backend.apeek("a", 2), backend.peek("a", 2), backend.statistics()) == (b"12", b"12", None)
    with pytest.raises(ListingUnsupported, match=r"Minimal has no scan\(\)"):
        backend.scan("")
    with pytest.raises(ObjectStoreUnavailable, match=r"\(Minimal: ConnectionError\)"):
        backend.delete("broken")
    assert as_backend(backend) is backend


class PartlyAsynchronous:
    def get(self, key): ...


class FullyAsynchronous:
    def generate_id(self):
        return "obj_1"

    async def set(self, key, value, ttl_seconds): ...

    async def get(self, key): ...

    async def delete(self, key): ...


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (PartlyAsynchronous(), "generate_id, set, delete"),
        (None, "NoneType"),
        (InMemoryBackend, r"InMemoryBackend\(…\)"),
        (FullyAsynchronous(), "set, get, delete must be synchronous"),
    ],
    ids=["incomplete", "nothing", "a class", "asynchronous"],
)
def test_an_invalid_backend_is_refused_with_the_reason(candidate, reason):
    for make in (require_backend, as_backend):
        with pytest.raises(WiringError, match=reason):
            make(candidate)


class Failing(FourMethods):
    """Raises exceptions that are not errors of this library."""

    def _fail(self, *_):
        raise ConnectionError("refused by redis://:topsecret@host")

    set = get = delete = head = scan = ping = close = _fail


class FailingAsync(Failing):
    async def _afail(self, *_):
        raise ConnectionError("refused by redis://:topsecret@host")

    aset = aget = adelete = ahead = aping = aclose = _afail

    async def ascan(self, prefix):
        if prefix:
            raise ConnectionError("refused by redis://:topsecret@host")
        yield "never"


OPERATIONS = [
    ("set", ("a", b"", None)), ("get", ("a",)), ("delete", ("a",)), ("head", ("a", 1)), ("scan", ("a",)), ("ping", ()),
    ("close", ()),
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
async def test_any_exception_of_a_backend_becomes_store_unavailable(operation, arguments):
    def unavailable():
        return pytest.raises(ObjectStoreUnavailable, match=r"^The object store is unavailable \(\w+: ConnectionError\)")

    with unavailable() as raised:
        getattr(as_backend(Failing()), operation)(*arguments)
    assert "topsecret" not in str(raised.value)
    assert isinstance(raised.value.__cause__, ConnectionError)
    for backend in (Failing(), FailingAsync()):
        with unavailable():
            result = getattr(as_backend(backend), f"a{operation}")(*arguments)
            if operation == "scan":
                async for _ in result:
                    pass
            else:
                await result
