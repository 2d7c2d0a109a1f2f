"""Compressed objects: the stored bytes, the values read, and refused ones."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading

import pytest
import redis
from backports import zstd

from coatcheck import codec
from coatcheck.backends import InMemoryBackend
from coatcheck.codec import Metadata
from coatcheck.codec.tool_results import ToolResult
from coatcheck.containers import Container
from coatcheck.errors import MissingExtra, ObjectUnreadable
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.wiring.factories import compression_threshold

ROWS = [{"id": number, "name": f"user number {number}", "active": True} for number in range(400)]
MANY = ROWS * 40  # over 500 kB: in a worker thread
TEXT = "a line of a log, with ünïcödé\n" * 900
NOISE = base64.b64encode(os.urandom(30_000)).decode()


@pytest.fixture
def backend():
    return InMemoryBackend()


@pytest.fixture
def store(backend):
    return ObjectStore(backend, compress_above=1000)


def line_of(kept):
    return json.loads(kept.partition(b"\n")[0])


@pytest.mark.parametrize("value", [ROWS, MANY, TEXT, NOISE, [10**30] * 900, {"a": TEXT}], ids=type)
def test_values_are_read_unchanged_sync_and_async(store, value):
    async def scenario():
        stored = await store.aput(value)
        assert await store.aget(stored) == value
        assert store.get(stored) == value
        return stored

    stored = asyncio.run(scenario())
    assert store.get(store.put(value)) == value
    assert store.read(stored).payload == codec.encode(value).payload
    assert store.metadata(stored).size == len(codec.encode(value).payload)


def test_a_tool_result_and_its_text_are_read_unchanged(store):
    result = {"content": [{"type": "text", "text": TEXT}], "isError": False, "_meta": {"a": 1}}
    stored = store.put(ToolResult(result), tool="logs")
    assert store.read(stored).result() == result
    assert store.read(stored).text() == TEXT
    assert store.metadata(stored).tool == "logs"


def test_the_stored_bytes_are_smaller_and_marked_on_the_first_line(store, backend):
    kept = backend.get(store.put(ROWS))
    line = line_of(kept)
    assert line["version"] == 2
    assert line["size"] == len(codec.encode(ROWS).payload)
    assert line["zstd"] == len(kept.partition(b"\n")[2])
    assert len(kept) < line["size"] / 3
    assert zstd.decompress(kept.partition(b"\n")[2]) == codec.encode(ROWS).payload


@pytest.mark.parametrize("value", ["x" * 1000, [1, 2], {"a": "b"}], ids=type)
def test_short_values_are_not_compressed(store, backend, value):
    line = line_of(backend.get(store.put(value)))
    assert line["version"] == 1
    assert "zstd" not in line


def test_values_that_hardly_shrink_are_not_compressed(store, backend):
    line, _, payload = backend.get(store.put(NOISE)).partition(b"\n")
    assert payload == NOISE.encode()
    assert json.loads(line)["version"] == 1


def test_without_the_setting_nothing_is_compressed_and_compressed_objects_are_read(store, backend):
    plain = ObjectStore(backend)
    assert line_of(backend.get(plain.put(ROWS)))["version"] == 1
    assert plain.get(store.put(ROWS)) == ROWS


def test_a_peek_returns_a_short_payload_and_never_a_compressed_one(store):
    size = len(codec.encode(ROWS).payload)
    stored = store.put(ROWS)
    for look in (store.peek, lambda *args: asyncio.run(store.apeek(*args))):
        assert look(stored, size).payload == codec.encode(ROWS).payload
        assert look(stored, size - 1).payload == b""
        assert look(stored).payload == b""
    assert [summary.metadata.size for summary in store.list()] == [size]


def test_an_object_of_a_later_format_is_refused_clearly(store, backend):
    stored = store.put(ROWS)
    backend.set(stored, backend.get(stored).replace(b'"version":2', b'"version":9'), None)
    with pytest.raises(ObjectUnreadable, match="stored in format 9"):
        store.get(stored)
    readable = store.put("x")
    assert [summary.object_id for summary in store.list()] == [readable]
    assert [summary.object_id for summary in asyncio.run(store.alist())] == [readable]


@pytest.mark.parametrize(
    "claim",
    [
        {"size": 10**10},
        {"size": 5},
        {"zstd": 5},
        {"zstd": -1},
        {"zstd": "many"},
        {"zstd": True},
        {"zstd": None},
        {"version": 1},
        {"version": 3},
        {"codec": "mine"},
        {"version": 3, "codec": "mine\n"},
        {"version": 3, "codec": 7},
    ],
    ids=str,
)
def test_an_object_with_a_wrong_size_is_refused(store, backend, claim):
    stored = store.put(ROWS)
    line, _, payload = backend.get(stored).partition(b"\n")
    backend.set(stored, json.dumps({**json.loads(line), **claim}).encode() + b"\n" + payload, None)
    for read in (store.get, store.metadata, lambda object_id: asyncio.run(store.aget(object_id))):
        try:
            read(stored)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert read == store.metadata  # which reads only the first line


def test_a_frame_that_would_fill_the_memory_is_refused_before_decompression(backend):
    """A frame of some kB that claims to be short, or declares gigabytes."""
    store = ObjectStore(backend, max_object_bytes=10**6)
    bomb = zstd.compress(bytes(50_000_000), 19)
    assert len(bomb) < 10_000
    for size in (50_000_000, 1000):
        metadata = Metadata("text", size, "string", zstd=len(bomb), version=2)
        backend.set("obj_1", codec.pack(metadata, bomb), None)
        with pytest.raises(ValueError, match=r"more than the 1,000,000|not what its metadata says"):
            store.get("obj_1")
    # A frame without a declared size is bounded by its content.
    stream = zstd.ZstdCompressor(level=19)
    unsized = stream.compress(bytes(50_000_000)) + stream.flush()
    metadata = Metadata("text", 1000, "string", zstd=len(unsized), version=2)
    backend.set("obj_1", codec.pack(metadata, unsized), None)
    with pytest.raises(ValueError, match="not what its metadata says"):
        store.get("obj_1")


@pytest.mark.parametrize("damage", [b"", b"x", b"\x28\xb5\x2f\xfd"])
def test_a_damaged_payload_is_refused(store, backend, damage):
    stored = store.put(ROWS)
    line, _, payload = backend.get(stored).partition(b"\n")
    backend.set(stored, line + b"\n" + damage + payload[len(damage) + 1 :], None)
    with pytest.raises(ValueError, match="not what its metadata says"):
        store.get(stored)


def test_large_values_are_compressed_and_expanded_off_the_event_loop(backend, monkeypatch):
    threads = []

    def recording(function):
        def call(*args):
            threads.append(threading.current_thread() is threading.main_thread())
            return function(*args)

        return call

    monkeypatch.setattr(codec, "compress", recording(codec.compress))
    monkeypatch.setattr(codec, "decompress", recording(codec.decompress))
    store = ObjectStore(backend, compress_above=1000)

    async def scenario():
        for value in (ROWS, MANY):
            await store.aget(await store.aput(value))

    asyncio.run(scenario())
    assert threads == [True, True, False, False]


@pytest.mark.parametrize(
    ("url", "setting", "threshold"),
    [
        ("redis://localhost", None, 0),
        ("redis://:pw@127.0.0.1:6380/0", None, 0),
        ("rediss://[::1]:1", None, 0),
        ("unix:///run/redis.sock", None, 0),
        ("redis://:pw@cache.example:6380/0", None, 16384),
        ("redis+cluster://127.0.0.1:1,10.0.0.2:1", None, 16384),
        ("redis+sentinel://127.0.0.1:1,localhost/mymaster", None, 0),
        ("redis://127.0.0.1.example", None, 16384),
        ("redis://localhost", 100, 100),
        ("redis://cache.example", 0, 0),
    ],
)
def test_objects_are_compressed_for_remote_stores_or_if_configured(url, setting, threshold):
    settings = Settings(object_store_backend="redis", redis_url=url, redis_compress_above=setting)
    assert compression_threshold(settings) == threshold


def test_in_redis_objects_are_compressed_with_the_setting(redis_server):
    settings = Settings(object_store_backend="redis", redis_url=redis_server.url, redis_compress_above=1000)
    container = Container(settings=settings)

    async def scenario():
        stored = await container.store().aput(MANY)
        assert await container.store().afetch(stored) == MANY
        await container.exit_stack().aclose()
        return stored

    stored = asyncio.run(scenario())
    with redis.Redis.from_url(redis_server.url) as bare:
        assert bare.strlen(f"coatcheck:{stored}") < len(codec.encode(MANY).payload) / 3
        assert b"zstd" in bare.getrange(f"coatcheck:{stored}", 0, 300)


def test_without_zstd_values_are_stored_uncompressed_and_reading_compressed_ones_is_an_error(store, backend):
    stored = store.put(ROWS)
    program = f"""
import sys
sys.modules["backports.zstd"] = sys.modules["compression.zstd"] = None
from coatcheck.backends import InMemoryBackend
from coatcheck.errors import MissingExtra
from coatcheck.wiring.factories import compression_threshold
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
far = dict(object_store_backend="redis", redis_url="redis://cache.example")
print(compression_threshold(Settings(**far)))
try:
    compression_threshold(Settings(**far, redis_compress_above=1000))
except MissingExtra as error:
    print("asked for:", error)
store = ObjectStore(InMemoryBackend(), compress_above=1000)
assert store.get(store.put("x" * 5000)) == "x" * 5000
store.backend.set("obj_1", {backend.get(stored)!r}, None)
try:
    store.get("obj_1")
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'coatcheck[redis]'" in done.stdout
    assert done.stdout.startswith("0\n")
    assert "asked for: Compressed objects need zstd" in done.stdout
    assert MissingExtra.__name__ not in done.stderr
