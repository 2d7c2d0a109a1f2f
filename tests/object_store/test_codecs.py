"""Custom codecs: the stored bytes, the values read, and the error of a store without the codec."""

import asyncio
import threading

import pytest
from cryptography.fernet import Fernet

from coatcheck.backends import InMemoryBackend
from coatcheck.codec.tool_results import ToolResult
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable, ObjectUnreadable, WiringError
from coatcheck.explorer import Explorer
from coatcheck.lifecycle import overridden, validate
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings

ROWS = [{"id": number, "name": f"user number {number}"} for number in range(400)]
MANY = ROWS * 40  # over 500 kB: in a worker thread


class Encrypted:
    name = "fernet"

    def __init__(self) -> None:
        self.threads: list[bool] = []
        self.fernet = Fernet(Fernet.generate_key())

    def encode(self, payload: bytes) -> bytes:
        self.threads.append(threading.current_thread() is threading.main_thread())
        return self.fernet.encrypt(payload)

    def decode(self, payload: bytes) -> bytes:
        return self.fernet.decrypt(payload)


@pytest.fixture
def backend():
    return InMemoryBackend()


def test_no_text_of_a_previewed_value_is_stored_unencrypted(backend):
    explorer = Explorer(ObjectStore(backend, codec=Encrypted()))
    kept = explorer.keep([{"secret_field": "secret"}] * 400, "rows")
    assert "secret_field" in kept.preview
    assert b"secret" not in backend.get(kept.reference[1:])
    assert f"{kept.reference}: array of 400 items, " in explorer.list()


@pytest.mark.parametrize("compress_above", [0, 1000])
@pytest.mark.parametrize("value", [ROWS, MANY, "a secret text", None, 7], ids=["rows", "many", "text", "none", "7"])
def test_values_are_read_sync_and_async_and_the_backend_never_sees_them(backend, value, compress_above):
    store = ObjectStore(backend, codec=Encrypted(), compress_above=compress_above)

    async def scenario():
        stored = await store.aput(value, tool="rows")
        assert await store.aget(stored) == value
        return stored

    stored = asyncio.run(scenario())
    assert store.fetch(store.put(value)) == value
    line, _, kept = backend.get(stored).partition(b"\n")
    assert b'"codec":"fernet"' in line
    assert b"user number" not in kept
    assert b"secret" not in kept
    assert (b"zstd" in line) == (compress_above > 0 and isinstance(value, list))
    assert store.metadata(stored).tool == "rows"
    for most in (0, 10, 10**7):
        peeked = store.peek(stored, most)
        assert peeked.payload == (store.read(stored).payload if peeked.metadata.size <= most else b"")


def test_a_large_payload_is_processed_in_a_thread(backend):
    applied = Encrypted()
    store = ObjectStore(backend, codec=applied)

    async def scenario():
        for value in (ROWS, MANY):
            await store.aput(value)

    asyncio.run(scenario())
    assert applied.threads == [True, False]


def test_a_store_with_another_codec_or_key_reports_it(backend):
    stored = ObjectStore(backend, codec=Encrypted()).put(ROWS)
    with pytest.raises(ObjectUnreadable, match=r"with the codec fernet, and this store has none.*Container\(codec=…\)"):
        ObjectStore(backend).get(stored)
    with pytest.raises(ObjectUnreadable, match=r"codec fernet cannot read this object \(InvalidToken\)"):
        ObjectStore(backend, codec=Encrypted()).get(stored)
    other = Encrypted()
    other.name = "other"
    with pytest.raises(ObjectUnreadable, match="with the codec fernet, and this store has other"):
        ObjectStore(backend, codec=other).get(stored)
    assert [each.object_id for each in ObjectStore(backend).list()] == [stored]
    plain = ObjectStore(backend).put(ROWS)
    assert ObjectStore(backend, codec=Encrypted()).get(plain) == ROWS


def test_a_codec_that_fails_or_truncates_loses_the_object_but_not_the_call(backend):
    class TruncatingCodec:
        name = "broken"

        def encode(self, payload):
            raise OSError("the key is at /root/secret")

        def decode(self, payload):
            return payload[:-1]

    container = Container(settings=Settings(), backend=backend, codec=TruncatingCodec())
    with pytest.raises(ObjectStoreUnavailable, match=r"codec broken failed \(OSError\)") as failed:
        container.store().put(1)
    assert "/root" not in str(failed.value)
    assert "user number 399" in container.explorable()(lambda: ROWS)()
    TruncatingCodec.encode = lambda self, payload: payload
    with pytest.raises(ObjectUnreadable, match="another payload than its metadata says"):
        container.store().get(container.store().put(ROWS))


def test_in_the_container_the_store_keeps_its_other_settings(backend):
    applied = Encrypted()
    settings = Settings(object_store_ttl=60, max_object_bytes=20_000)
    container = Container(settings=settings, codec=applied, namespace=lambda: "eu", backend=backend)
    validate(container)
    store = container.store()
    result = {"content": [{"type": "text", "text": "a secret text"}], "isError": False}
    stored = store.put(ToolResult(result))
    assert store.read(stored).result() == result
    assert b"secret" not in backend.get(f"eu:{stored}")
    assert store.ttl == 60
    assert container.explorer().explore(stored) == "a secret text"
    kept = store.put(ROWS[:200])
    assert container.explorer().query(kept, ".[7].id") == "7"
    with pytest.raises(Exception, match="more than the 20,000 bytes"):
        store.put(MANY)
    with overridden(container, backend=InMemoryBackend()):
        assert container.store().get(container.store().put(1)) == 1
        assert applied.threads
    container.sandbox().close()


@pytest.mark.parametrize("name", ["", "two words", "x" * 41, None])
def test_a_codec_without_a_usable_name_or_method_is_refused(backend, name):
    applied = Encrypted()
    applied.name = name
    with pytest.raises(WiringError, match="needs a name of at most 40"):
        ObjectStore(backend, codec=applied)
    with pytest.raises(WiringError, match="codec: object was passed where Codec is expected: it lacks decode, encode"):
        validate(Container(settings=Settings(), codec=object()))
    with pytest.raises(WiringError, match="lacks encode and decode"):
        ObjectStore(backend, codec=object())
    with pytest.raises(WiringError, match="codec: the class Encrypted was passed"):
        validate(Container(settings=Settings(), codec=Encrypted))
