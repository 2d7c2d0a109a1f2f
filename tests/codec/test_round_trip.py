import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import subprocess
import sys
import uuid
from types import MappingProxyType
from typing import Any

import attrs
import numpy
import pytest
from hypothesis import given
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from coatcheck.codec import Metadata, decode, dump_json, dump_line, encode, pack, unpack, unpack_metadata
from tests.strategies import json_values


def round_trip(value: Any) -> Any:
    encoded = encode(value)
    metadata = Metadata(encoded.kind, len(encoded.payload), encoded.type, encoded.length, careful=encoded.careful)
    found, payload = unpack(pack(metadata, encoded.payload))
    assert found == metadata
    return decode(found, payload)


class Colour(enum.Enum):
    RED = "red"


class Model(BaseModel):
    name: str
    when: datetime.date


@dataclasses.dataclass
class Record:
    number: int
    more: Any


@attrs.define
class AttrsClass:
    number: int


@dataclasses.dataclass
class Private:
    shown: int = 1
    _kept: int = 2
    fixed: int = dataclasses.field(default=3, init=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    _kept: int = 2


@attrs.define
class PartlyInitialised:
    number: int = 1
    later: int = attrs.field(init=False)


class UnserializableModel(BaseModel):
    """A model that pydantic cannot serialize."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    name: str = Field("x", alias="Name")
    raw: bytes = b"\xff"
    secret: SecretStr = SecretStr("open sesame")
    handle: object = None


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@given(json_values)
def test_any_json_value_is_preserved(value):
    assert round_trip(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**64, 2**64),
        (-(2**63) - 1, -(2**63) - 1),
        (10**30, 10**30),
        ({"id": 1234567890123456789012345}, {"id": 1234567890123456789012345}),
        ("\ud800", "\ud800"),
        (["a\udfffb"], ["a\udfffb"]),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (frozenset({1}), [1]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Model(name="x", when=datetime.date(2020, 1, 2)), {"name": "x", "when": "2020-01-02"}),
        (Record(1, {2}), {"number": 1, "more": [2]}),
        (Private(), {"shown": 1, "_kept": 2, "fixed": 3}),
        ([Private()], [{"shown": 1, "_kept": 2, "fixed": 3}]),
        (Slotted(), {"_kept": 2}),
        (AttrsClass(3), {"number": 3}),
        (PartlyInitialised(), {"number": 1}),
        ({"a": 1, "b": 2}.values(), [1, 2]),
        (datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.UTC), "2020-01-02T03:00:00+00:00"),
        (datetime.timedelta(minutes=1), 60.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (Colour.RED, "red"),
        (decimal.Decimal("1.10"), "1.10"),
        (b"abc", {"$base64": "YWJj", "bytes": 3}),
        ({1: "a", "1": "b", None: "c", False: "d"}, {"1": "a", "1 (str)": "b", "null": "c", "false": "d"}),
    ],
    ids=repr,
)
def test_values_are_read_as_in_the_table(value, expected):
    assert round_trip(value) == expected


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_without_a_json_form_become_null(number):
    assert round_trip([number]) == [None]


def test_an_integer_of_five_thousand_digits_is_preserved():
    number = 3 * 10**5000 + 7
    assert round_trip({"n": number})["n"] == number


def test_a_value_without_a_json_form_gets_a_bounded_description():
    found = round_trip(
        {"o": object(), "h": Hostile(), "f": print, "long": type("X", (), {"__repr__": lambda _: "x" * 10**6})()}
    )
    assert found["o"]["$repr"].startswith("<object object")
    assert found["o"]["type"] == "builtins.object"
    assert "RuntimeError" in found["h"]["$repr"]
    assert len(found["long"]["$repr"]) < 1100


def test_a_model_with_one_unserializable_member_keeps_the_others():
    found = round_trip(UnserializableModel(handle=len, raw=b"\xff\xfe" * 5000))
    assert found["Name"] == "x"
    assert found["raw"]["bytes"] == 10_000
    assert found["handle"]["$repr"] == "<built-in function len>"
    assert "open sesame" not in str(found)


def test_non_contiguous_bytes_are_preserved():
    assert round_trip(memoryview(b"abcd")[::2]) == {"$base64": "YWM=", "bytes": 2}


def test_tuple_keys_stay_distinguishable():
    deep: Any = ()
    for _ in range(2_000):
        deep = (deep,)
    found = round_trip({(1, 2): "a", (1, 3): "b", ("x" * 9999,): "c", deep: "d"})
    assert list(found.values()) == ["a", "b", "c", "d"]
    assert list(found)[:2] == ["(1, 2)", "(1, 3)"]
    assert all(len(name) < 1100 for name in found)


def test_cycles_are_cut():
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    found = round_trip(cycle)
    assert found[0] == 1
    assert found[1]["again"]["$repr"] == "<list of 2 items, nested too deeply or inside itself>"
    lonely: list[Any] = []
    lonely.append(lonely)
    assert round_trip([lonely])[0][0]["$repr"].startswith("<list of 1 item, ")


def test_nesting_beyond_the_limit_is_described_and_the_rest_kept():
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    found = round_trip({"deep": deep, "other": 1})
    assert found["other"] == 1


def test_one_unserializable_part_leaves_the_others_unchanged():
    rows = [{"n": n} for n in range(100)]
    assert round_trip([*rows, {"n": object()}])[:100] == rows


def test_metadata_is_read_from_the_first_bytes_alone():
    encoded = encode(["x" * 10_000])
    metadata = Metadata(encoded.kind, len(encoded.payload), encoded.type, encoded.length, tool="t" * 5000)
    stored = pack(metadata, encoded.payload)
    assert unpack_metadata(stored[:1024]).size == len(encoded.payload)
    assert unpack_metadata(stored[:1024]).length == 1
    numbers = {"length": 10**12, "created": 1764471234.123, "zstd": 10**12, "codec": "c" * 40, "careful": True}
    for letter in ('"', "\u4e16", "\U0001f600"):
        longest = Metadata("result", 10**12, "boolean", tool=letter * 300, media_type=letter * 300, **numbers)
        assert unpack_metadata(pack(longest, b"x" * 2000)[:1024]).size == 10**12


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"not json\npayload", b"[1]\n", b'{"kind":"json","size":1,"type":"null","version":99}\nx']
)
def test_bytes_of_another_program_are_refused(stored):
    with pytest.raises(ValueError, match="coatcheck"):
        unpack(stored)


@pytest.mark.parametrize("value", [{"a": [1, "x"]}, {"n": 2**70, 1: None}], ids=["fast", "careful"])
def test_a_line_is_the_json_with_a_newline(value):
    assert dump_line(value) == dump_json(value) + b"\n"


NOT_IMPORTED = """
import sys, uuid
from types import MappingProxyType
from coatcheck.codec import dump_json, dump_line
assert dump_json([uuid.UUID(int=1), MappingProxyType({"a": 1})]) and dump_line({"a": MappingProxyType({})})
assert "numpy" not in sys.modules, "numpy is imported"
"""


def test_numpy_is_not_imported_for_other_values():
    subprocess.run([sys.executable, "-c", NOT_IMPORTED], check=True)


def test_arrays_and_scalars_of_numpy_become_lists_and_numbers():
    values = {"array": numpy.array([[1, 2], [3, 4]]), "number": numpy.float64(1.5), "flag": numpy.bool_(True)}
    assert round_trip(values) == {"array": [[1, 2], [3, 4]], "number": 1.5, "flag": True}
