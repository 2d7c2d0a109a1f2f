"""Decoding in windows of any size gives the same result or error as decoding in one step."""

import asyncio
import json

import orjson
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck import codec
from coatcheck.codec import encode
from coatcheck.codec.chunked import decoder as windows
from coatcheck.codec.chunked import yield_budget
from coatcheck.codec.chunked.decoder import ChunkedDecoder

texts = st.text(max_size=30) | st.sampled_from(['},{"', '":"', "]},{", "\\", '\\"', "\U0001f600" * 20, "x" * 200])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=40,
)
spelled = [
    orjson.dumps,
    lambda value: json.dumps(value).encode(),
    lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2),
]


def read(text, **sizes):
    pieces = 0
    reading = ChunkedDecoder(text, orjson.loads, **sizes).read()
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value, pieces
        pieces += 1


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(values, st.sampled_from(spelled), st.integers(1, 90), st.integers(1, 60))
def test_decoding_in_windows_gives_the_same_value(value, spell, window, text_window):
    text = spell(value)
    try:
        decoded, _ = read(text, window=window, text_window=text_window)
    except ValueError:
        return  # the windows are too narrow for the value, which is decoded in one step
    assert orjson.dumps(decoded) == orjson.dumps(orjson.loads(text))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(values, st.data())
def test_invalid_json_is_refused(value, data):
    text = orjson.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    text = (
        text[:at]
        + data.draw(st.sampled_from([b"", b",", b"]", b"}", b'"', b"\\", b"[", b"0", b"\xff"]))
        + text[at + 1 :]
    )
    try:
        expected = orjson.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read(text, window=20, text_window=20)
        return
    try:
        decoded, _ = read(text, window=20, text_window=20)
    except ValueError:
        return
    assert orjson.dumps(decoded) == orjson.dumps(expected)


SHAPES = {
    "rows": lambda: [{"id": n, "name": f"user {n}"} for n in range(60_000)],
    "wrapped rows": lambda: {
        "id": 1,
        "result": {"content": [], "structured": [{"id": n} for n in range(40_000)]},
        "x": 1,
    },
    "rows by key": lambda: {f"k{n}": {"id": n} for n in range(30_000)},
    "numbers": lambda: list(range(100_000)),
    "lists": lambda: [[n, [n, "x"]] for n in range(30_000)],
    "a text": lambda: 'a\\"b\u00e4' * 200_000,
    "texts": lambda: ["x" * 200_000] * 10,
    "large members": lambda: [{"values": list(range(20_000))} for _ in range(20)],
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("spell", spelled)
def test_a_large_value_is_read_in_many_pieces(name, spell):
    value = SHAPES[name]()
    text = spell(value)
    decoded, pieces = read(text)
    assert decoded == value
    assert pieces > len(text) // 1_100_000 + 2


async def _decode_counting_turns(work):
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    watching = asyncio.ensure_future(count_turns())
    await checkpoint()
    decoded = await work
    watching.cancel()
    return decoded, turns


@pytest.mark.parametrize("first", [[], [10**30]], ids=["fast", "careful"])
def test_other_tasks_run_while_a_payload_is_decoded(monkeypatch, first):
    value = [*first, *SHAPES["rows"]()]
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    encoded = encode(value)
    work = codec.adecode(encoded.metadata, encoded.payload)
    decoded, turns = asyncio.run(_decode_counting_turns(work))
    assert decoded == value
    assert turns > 20


@pytest.mark.parametrize("name", ["rows", "keys"])
def test_the_parts_of_a_value_are_yielded_in_chunks(name):
    value = SHAPES["rows"]() if name == "rows" else {f"key {n}": [n] for n in range(100_000)}
    encoded = encode(value)
    pieces = []
    stored = b"what stands before" + encoded.payload
    decoded = asyncio.run(codec.adecode(encoded.metadata, memoryview(stored)[18:], pieces))
    assert decoded == value
    held = {id(part) for piece in pieces for part in piece}
    parts = decoded.values() if isinstance(decoded, dict) else decoded
    assert sum(id(part) not in held for part in parts) <= 2  # the first and the last are decoded separately
    assert max(map(len, pieces)) < len(decoded) // 10


def test_a_payload_is_decoded_in_place_or_from_a_copy():
    rows = SHAPES["rows"]()
    encoded = encode(rows)
    facts, payload = encoded.metadata, bytes(encoded.payload)
    for view in (payload, memoryview(payload), memoryview(payload + b"]")[:-1], memoryview(bytearray(payload))):
        assert asyncio.run(codec.adecode(facts, view)) == rows
    with pytest.raises(ValueError, match=r"."):
        asyncio.run(codec.adecode(facts, memoryview(b"[" + payload[:-1])[1:]))


def test_a_text_of_escapes_is_split_too_and_invalid_json_is_refused():
    small = json.dumps("\u00e4" * 400_000).encode()  # nothing but escapes
    assert asyncio.run(codec.aload_json(small)) == "\u00e4" * 400_000
    with pytest.raises(ValueError, match=r"."):
        read(b"[0," + b"[" * 70_000)
    with pytest.raises(ValueError, match=r"."):
        asyncio.run(codec.aload_json(small[:-1]))


def test_an_irregular_value_is_decoded_in_one_step(monkeypatch):
    ragged = [[n, "x" * 600] if n % 2 else {f"k{n}": "y" * 600} for n in range(2_000)]
    text = orjson.dumps(ragged)
    monkeypatch.setattr(windows, "MOST_SINGLES", 100)
    with pytest.raises(ValueError, match="ragged"):
        read(text, window=700)
    monkeypatch.setattr(windows, "WINDOW", 700)
    assert asyncio.run(codec.aload_json(text)) == ragged
