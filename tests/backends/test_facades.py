import threading

import pytest

from coatcheck.backends import AsyncFacade, InMemoryBackend, SyncFacade, require_backend
from coatcheck.errors import ListingUnsupported, ObjectStoreUnavailable, WiringError


class FourMethods:
    """Keeps bytes and notes which thread called what."""

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


class NeverWaits(FourMethods):
    blocking = False


class OwnTwins(FourMethods):
    async def aset(self, key, value, ttl_seconds):
        self.kept[key] = b"by the twin: " + value

    async def aget(self, key):
        return self.kept.get(key)

    async def adelete(self, key):
        return self.kept.pop(key, None) is not None


@pytest.mark.anyio
async def test_a_backend_that_may_block_is_called_in_another_thread():
    backend = FourMethods()
    face = AsyncFacade(backend)
    await face.aset("a", b"12345", None)
    assert (await face.aget("a"), await face.ahead("a", 2), await face.adelete("a")) == (b"12345", b"12", True)
    assert len(backend.threads) == 4
    assert threading.get_ident() not in backend.threads


@pytest.mark.anyio
@pytest.mark.parametrize("backend", [NeverWaits(), InMemoryBackend()], ids=["own", "memory"])
async def test_a_backend_that_never_waits_is_called_where_we_are(backend):
    before = threading.active_count()
    face = AsyncFacade(backend)
    await face.aset("a", b"12345", None)
    assert (await face.aget("a"), await face.ahead("a", 2), await face.adelete("a")) == (b"12345", b"12", True)
    assert set(getattr(backend, "threads", [])) <= {threading.get_ident()}
    assert threading.active_count() == before


@pytest.mark.anyio
async def test_the_backends_own_twins_go_first():
    backend = OwnTwins()
    face = AsyncFacade(backend)
    await face.aset("a", b"x", None)
    assert await face.aget("a") == b"by the twin: x"
    assert await face.ahead("a", 6) == b"by the"
    assert await face.adelete("a") is True
    assert backend.threads == []


@pytest.mark.anyio
async def test_a_backend_that_cannot_list_says_so_clearly():
    with pytest.raises(ListingUnsupported, match=r"FourMethods has no scan\(\)"):
        SyncFacade(FourMethods()).scan("")
    with pytest.raises(ListingUnsupported, match=r"FourMethods has no scan\(\)"):
        [key async for key in AsyncFacade(FourMethods()).ascan("")]


@pytest.mark.anyio
async def test_ping_and_close_of_a_backend_without_them_do_nothing():
    SyncFacade(FourMethods()).ping()
    SyncFacade(FourMethods()).close()
    await AsyncFacade(FourMethods()).aping()
    await AsyncFacade(FourMethods()).aclose()


def test_head_of_a_backend_without_one_is_cut_from_the_whole():
    face = SyncFacade(FourMethods())
    face.set("a", b"12345", None)
    assert [face.head("a", n) for n in (-1, 0, 2, 9)] == [b"", b"", b"12", b"12345"]
    assert face.head("b", 2) is None


class Halfway:
    def get(self, key): ...


class AllAsynchronous:
    def generate_id(self):
        return "obj_1"

    async def set(self, key, value, ttl_seconds): ...

    async def get(self, key): ...

    async def delete(self, key): ...


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Halfway(), "generate_id, set, delete"),
        (None, "NoneType"),
        (InMemoryBackend, r"InMemoryBackend\(…\)"),
        (AllAsynchronous(), "set, get, delete must be synchronous"),
    ],
    ids=["incomplete", "nothing", "a class", "asynchronous"],
)
def test_what_cannot_be_a_backend_is_refused_with_the_reason(candidate, reason):
    for make in (require_backend, SyncFacade, AsyncFacade):
        with pytest.raises(WiringError, match=reason):
            make(candidate)


class Failing(FourMethods):
    """Fails as a backend does whose writer did not think of this library's errors."""

    def _fail(self, *_):
        raise ConnectionError("refused by redis://:topsecret@host")

    set = get = delete = head = scan = ping = close = _fail


class FailingTwins(Failing):
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
async def test_whatever_a_backend_raises_means_that_the_store_is_unavailable(operation, arguments):
    def in_our_words():
        return pytest.raises(ObjectStoreUnavailable, match=r"^The object store is unavailable \(\w+: ConnectionError\)")

    with in_our_words() as raised:
        getattr(SyncFacade(Failing()), operation)(*arguments)
    assert "topsecret" not in str(raised.value)
    assert isinstance(raised.value.__cause__, ConnectionError)
    for backend in (Failing(), FailingTwins()):
        with in_our_words():
            asked = getattr(AsyncFacade(backend), f"a{operation}")(*arguments)
            if operation == "scan":
                async for _ in asked:
                    pass
            else:
                await asked
