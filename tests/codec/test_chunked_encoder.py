import collections
import datetime
import decimal
import enum
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import orjson
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from coatcheck.backends import InMemoryBackend
from coatcheck.codec import Encoded, Metadata, ToolResult, aencode, encode, pack, unpack
from coatcheck.codec.chunked import async_codec as slices
from coatcheck.codec.chunked import encoder, yield_budget
from coatcheck.codec.json_encoders import encode_fallback
from coatcheck.object_store import ObjectStore
from tests.strategies import keys, scalars


class Colour(enum.Enum):
    RED = "red"


class Model(BaseModel):
    name: str


def records(count: int) -> list[dict[str, Any]]:
    return [
        {"id": n, "name": f"user {n}", "score": n / 4, "address": {"city": "Bern", "zip": [n, None]}}
        for n in range(count)
    ]


def nested(value: Any, levels: int, *, in_dicts: bool = False) -> Any:
    for _ in range(levels):
        value = {"in": value} if in_dicts else [value]
    return value


def measure_chunks(encoded: Encoded) -> tuple[Any, ...]:
    found = encoded.kind, encoded.payload, encoded.type, encoded.length, encoded.careful
    assert (encoded.size, encoded.characters) == (len(encoded.payload), len(encoded.payload.decode()))
    return found


def piece_sizes(value: Any, *, careful: bool = False) -> list[int]:
    return [len(piece) for piece in encoder.ChunkedEncoder(fallback=careful).encode(value)]


@contextmanager
def tiny_slices() -> Iterator[None]:
    """Slices so small that even small values take many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "CHUNK_PARTS", 6)
        patch.setattr(slices, "CHUNK_PARTS", 6)
        patch.setattr(encoder, "TEXT_CHARACTERS", 25)
        patch.setattr(encoder, "CHUNK_PARTS_FALLBACK", 4)
        patch.setattr(encoder, "CHUNK_BYTES", 25)
        patch.setattr(encoder, "LOOK_EVERY", 2)
        yield


plain_keys = keys | st.sampled_from(["a", "b", "1", "null", "1 (str)"])
strange_scalars = scalars | st.sampled_from(
    [
        2**64,
        -(2**63) - 1,
        float("nan"),
        "\ud800",
        "x" * 60 + "ü" * 40,
        "x" * 60 + "\udfff" * 3,
        b"bytes",
        Colour.RED,
        Model(name="m"),
        uuid.UUID(int=5),
        datetime.date(2020, 1, 2),
        decimal.Decimal("1.5"),
        print,
        {1, 2},
    ]
)
strange_keys = plain_keys | st.sampled_from([1, None, True, 2.5, "\ud800", "\\ud800", Colour.RED, (1, 2)])


def containers_of(scalar: st.SearchStrategy[Any], key: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalar,
        lambda inner: (
            st.lists(inner, max_size=12)
            | st.lists(inner, max_size=5).map(tuple)
            | st.dictionaries(key, inner, max_size=12)
            | st.dictionaries(key, inner, max_size=4).map(lambda made: collections.defaultdict(list, made))
        ),
        max_leaves=60,
    )


@given(containers_of(scalars, plain_keys))
def test_a_json_value_is_encoded_in_slices_as_in_one_step(value):
    with tiny_slices():
        assert measure_chunks(anyio.run(aencode, value)) == measure_chunks(encode(value))


@given(containers_of(strange_scalars, strange_keys))
def test_any_other_value_is_encoded_in_slices_as_in_one_step(value):
    with tiny_slices():
        assert measure_chunks(anyio.run(aencode, value)) == measure_chunks(encode(value))


@given(containers_of(scalars, plain_keys), st.text(max_size=200))
def test_a_tool_result_is_encoded_in_slices_as_in_one_step(value, text):
    result = ToolResult({"content": [{"type": "text", "text": text}], "structuredContent": {"result": value}})
    with tiny_slices():
        assert measure_chunks(anyio.run(aencode, result)) == measure_chunks(encode(result))


# Functions, because every test process imports this file.
LARGE: dict[str, Callable[[], Any]] = {
    "records": lambda: records(8_000),
    "a tuple": lambda: tuple(records(8_000)),
    "a dict": lambda: {f"key {n}": record for n, record in enumerate(records(8_000))},
    "a dict with strange keys": lambda: dict(enumerate(records(6_000))) | {"7": "another seven", None: 1},
    "a list of lists": lambda: [[n / 7 for n in range(3000)] for _ in range(40)],
    "lists in dicts in lists": lambda: [{"rows": [{"cells": list(range(20_000))}] * 3}] * 3,
    "numbers": lambda: list(range(90_000)),
    "texts": lambda: ["text " * 50] * 20_000,
    "one integer too large": lambda: [*records(6_000), 2**70],
    "one lone surrogate": lambda: [*records(6_000), {"name": "\ud800"}],
    "objects": lambda: [{"id": uuid.UUID(int=n), "colour": Colour.RED} for n in range(20_000)],
    "models": lambda: [Model(name=f"name {n}") for n in range(50_000)],
    "large texts": lambda: ["long " * 300_000] * 5,
    "a large text": lambda: {"text": 'quoted "ü"\n' * 500_000},
    "a large text with a lone surrogate": lambda: ["ü" * 2_500_000 + "\ud800", "plain " * 200_000],
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_value_is_encoded_in_slices_as_in_one_step(kind):
    value = LARGE[kind]()
    encoded = anyio.run(aencode, value)
    assert len(piece_sizes(value, careful=encoded.careful)) > 3
    assert measure_chunks(encoded) == measure_chunks(encode(value))


@pytest.mark.parametrize("levels", [1, 50, 198, 199, 200, 201, 252, 253, 254, 300])
@pytest.mark.parametrize("in_dicts", [False, True])
def test_nesting_is_cut_at_the_same_level(levels, in_dicts):
    value = [nested(list(range(30)), levels, in_dicts=in_dicts), "beside it"]
    with tiny_slices():
        assert measure_chunks(anyio.run(aencode, value)) == measure_chunks(encode(value))
        assert measure_chunks(anyio.run(aencode, [value, 2**70])) == measure_chunks(encode([value, 2**70]))


def test_cycles_are_cut_at_the_same_place():
    cycle: list[Any] = []
    cycle.extend([{"again": cycle}, *range(60_000)])
    twice: dict[str, Any] = {"in": {}, "rest": list(range(60_000))}
    twice["in"]["out"] = twice
    for value in (cycle, twice, [cycle, twice]):
        assert measure_chunks(anyio.run(aencode, value)) == measure_chunks(encode(value))


SURPRISES: dict[str, Callable[[], Any]] = {
    "a long list": lambda: {"data": list(range(200_000))},
    "a long list far inside": lambda: {"data": {"inner": [{"rows": list(range(200_000))}]}},
    "a wide dict": lambda: {str(n): n for n in range(100_000)},
    "many lists that are not so long": lambda: [[0] * 5000] * 100,
}


@pytest.mark.parametrize("surprise", SURPRISES)
@pytest.mark.parametrize("small", [{"n": 1, "t": "x"}, {"id": uuid.UUID(int=1)}], ids=["plain", "objects"])
def test_a_large_item_among_many_small_ones_is_encoded_in_chunks_too(small, surprise):
    value = [*[small] * 5_000, SURPRISES[surprise](), *[small] * 5_000]
    encoded = anyio.run(aencode, value)
    assert max(piece_sizes(value)) < 600_000
    assert measure_chunks(encoded) == measure_chunks(encode(value))


def test_a_slice_that_takes_too_long_is_shortened(monkeypatch):
    monkeypatch.setattr(encoder, "LONG_AFTER", -1.0)
    value = [{"n": 1}] * 5000 + [{"text": "x" * 20_000}] * 1000
    encoded = anyio.run(aencode, value)
    assert max(piece_sizes(value)) <= encoder.LOOK_EVERY * 21_000
    assert measure_chunks(encoded) == measure_chunks(encode(value))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "make",
    [lambda: records(10_000), lambda: [*records(6_000), 2**70], lambda: {"text": "x" * 5_000_000}],
    ids=["fast", "careful", "text"],
)
async def test_encoding_yields_to_the_event_loop(monkeypatch, make):
    value = make()
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    turns = 0
    done = False

    async def count_turns() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        await aencode(value)
        done = True
    assert turns >= 8


@pytest.mark.anyio
async def test_a_dict_that_changes_while_it_is_encoded_is_still_stored(monkeypatch):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    value: dict[str, Any] = {str(n): n for n in range(100_000)}

    done = False

    async def change() -> None:
        while not done:
            value[f"new {len(value)}"] = True
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(change)
        encoded = await aencode(value)
        encoded_whole = encode(value)
        done = True
    assert measure_chunks(encoded) == measure_chunks(encoded_whole)


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_value_has_the_same_json_in_every_encoding(kind):
    value = LARGE[kind]()
    try:
        expected = orjson.dumps(value, default=encoder.convert)
    except TypeError:
        expected = encode_fallback(value)
    assert encode(value).payload == expected


@pytest.mark.parametrize("tool", [None, "list_issues", "ü" * 200])
@pytest.mark.parametrize("count", [10, 20_000], ids=["in one step", "in slices"])
def test_metadata_precedes_the_payload_in_both_encodings(count, tool):
    value = records(count)
    encoded = encode(value)
    metadata = Metadata("json", encoded.size, "array", len(value), 1.5, tool)
    found, payload = unpack(pack(metadata, encoded.content))
    assert found == metadata
    assert payload == encoded.payload
    assert pack(metadata, encoded.content) == pack(metadata, encoded.content)


@pytest.mark.parametrize("count", [10, 20_000], ids=["in one step", "in slices"])
def test_a_kept_value_is_available_without_reading_the_backend(count):
    value = records(count)
    store = ObjectStore(InMemoryBackend())
    kept = store.put_encoded(encode(value))
    assert kept.value() == value
    assert store.get(kept.object_id) == value
