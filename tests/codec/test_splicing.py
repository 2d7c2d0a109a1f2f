"""What is spliced into a line is there exactly as it was given, however long it is."""

import json

import pytest

from coatcheck.codec import Spliced, dump_json, dump_line
from coatcheck.codec.fast import _PLACE, LONG_SPLICED

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
