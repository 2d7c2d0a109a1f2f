"""Payloads that are spliced into a line appear there unchanged, whatever their length."""

import json

import pytest

from coatcheck.codec import Spliced, adump_line, dump_json, dump_line
from coatcheck.codec.json_encoders import _PLACE, LONG_SPLICED

LONG = json.dumps(["x" * LONG_SPLICED, 1.50, {"a": None}]).encode()
SHORT = b'{"kept":   "as it is"}'


@pytest.mark.parametrize("view", [bytes, memoryview], ids=["bytes", "view"])
def test_long_and_short_ones_stand_in_their_places_as_they_are(view):
    other = LONG.replace(b"x", b"y")
    value = {"a": [Spliced(view(LONG)), Spliced(view(SHORT))], "b": {"c": Spliced(view(other))}, "d": "é"}
    expected = b'{"a":[%b,%b],"b":{"c":%b},"d":"%b"}' % (LONG, SHORT, other, "é".encode())
    assert dump_line(value) == expected + b"\n"
    assert dump_json(value) == expected


def test_the_same_one_may_stand_twice():
    once = Spliced(LONG)
    assert dump_line([once, 1, once]) == b"[%b,1,%b]\n" % (LONG, LONG)


def test_beside_what_takes_care_it_is_the_same():
    value = [Spliced(LONG), 2**70, "\ud800"]
    assert dump_line(value) == b'[%b,%d,"\\ud800"]\n' % (LONG, 2**70)


@pytest.mark.parametrize("spliced", [SHORT, LONG], ids=["short", "long"])
def test_a_text_that_looks_like_a_place_is_none(spliced):
    assert dump_line([json.loads(_PLACE), Spliced(spliced)]) == b"[%b,%b]\n" % (_PLACE, spliced)


def rows():
    return [{"id": number, "é": [1.5, None, True, "x" * 20]} for number in range(60_000)]


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
async def test_giving_others_their_turn_changes_nothing(make):
    value = make()
    assert await adump_line(value) == dump_line(value)
