"""Payloads of any length are spliced unchanged into a line."""

import json

import pytest

from coatcheck.codec import Spliced, adump_line, dump_json, dump_line, splice_text
from coatcheck.codec.json_encoders import _PLACE, LONG_SPLICED

LONG = json.dumps(["x" * LONG_SPLICED, 1.50, {"a": None}]).encode()
SHORT = b'{"kept":   "as it is"}'


@pytest.mark.parametrize("view", [bytes, memoryview], ids=["bytes", "view"])
def test_long_and_short_payloads_appear_unchanged(view):
    other = LONG.replace(b"x", b"y")
    value = {"a": [Spliced(view(LONG)), Spliced(view(SHORT))], "b": {"c": Spliced(view(other))}, "d": "é"}
    expected = b'{"a":[%b,%b],"b":{"c":%b},"d":"%b"}' % (LONG, SHORT, other, "é".encode())
    assert dump_line(value) == expected + b"\n"
    assert dump_json(value) == expected


def test_the_same_payload_may_appear_twice():
    once = Spliced(LONG)
    assert dump_line([once, 1, once]) == b"[%b,1,%b]\n" % (LONG, LONG)


def test_splicing_works_with_the_lossless_encoder():
    value = [Spliced(LONG), 2**70, "\ud800"]
    assert dump_line(value) == b'[%b,%d,"\\ufffd"]\n' % (LONG, 2**70)


@pytest.mark.anyio
@pytest.mark.parametrize("length", [1, 300_000], ids=["short", "long"])
async def test_no_line_contains_a_lone_surrogate(length):
    half = "cut \ud83d " * length
    spliced = {"a": await splice_text(half), "b": half, "\ud83d": 1}
    for line in (dump_line(spliced), await adump_line(spliced)):
        shown = json.loads(line)
        assert shown["a"] == shown["b"] == half.replace("\ud83d", "\ufffd")
        line.decode()


@pytest.mark.parametrize("spliced", [SHORT, LONG], ids=["short", "long"])
def test_a_text_that_looks_like_a_placeholder_is_unchanged(spliced):
    assert dump_line([json.loads(_PLACE), Spliced(spliced)]) == b"[%b,%b]\n" % (_PLACE, spliced)


def rows():
    return [{"id": number, "é": [1.5, None, True, "x" * 20]} for number in range(15_000)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "make",
    [
        lambda: {"a": 1, "b": [Spliced(SHORT)]},
        lambda: {"rows": rows(), "a": Spliced(LONG), "b": {"c": Spliced(SHORT)}},
        lambda: [rows(), "y" * 3_000_000, Spliced(memoryview(LONG)), (1, 2)],
        lambda: {"rows": rows(), "needs care": 2**70, "a": Spliced(LONG)},
        lambda: {1: rows()},
    ],
    ids=["small", "rows", "text", "careful", "keys"],
)
async def test_yielding_does_not_change_the_output(make):
    value = make()
    assert await adump_line(value) == dump_line(value)
