"""A payload that is estimated as small is encoded in one step on the event loop, so it must be small."""

from collections import OrderedDict, defaultdict

import pytest

from coatcheck.codec import dump_json, dump_plain
from coatcheck.codec.chunked.size_estimate import is_small

RECORDS = [
    {"id": n, "name": f"user {n}", "tags": ("a", None), "score": 1.5, "address": {"city": "Bern"}} for n in range(9)
]


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, RECORDS, {"page": RECORDS}])
def test_small_values_are_estimated_as_small(value):
    assert is_small(value)


def test_values_with_a_large_part_are_not_estimated_as_small():
    looped: list[object] = []
    looped.append(looped)
    shared: list[object] = [0, 0]
    for _ in range(40):
        shared = [shared, shared]
    for large in ([0] * 2000, dict.fromkeys(range(2000)), "x" * 1_000_000, ["x" * 300] * 500, looped, shared):
        for value in (large, [large], {"a": [1, {"b": large}]}, (RECORDS, [large])):
            assert not is_small(value)


def test_keys_are_counted_on_request():
    assert is_small({"k" * 100: {"k" * 100: 1}}, 10, 200, with_keys=True)
    assert not is_small({"k" * 100: {"k" * 101: 1}}, 10, 200, with_keys=True)


def test_a_plain_value_is_encoded_within_its_limit():
    assert dump_plain(RECORDS, 1500) == dump_json(RECORDS)
    for other in ({1: 2}, {(1, 2): 3}, [10**30], ["\ud800"], [{1}], "x" * 1501, {"x" * 1501: 1}, [0] * 1501):
        assert dump_plain(other, 1500) is None


@pytest.mark.parametrize("other", [{1, 2}, OrderedDict(a=1), defaultdict(list), object(), b"bytes", 10**30 + 0j])
def test_the_size_of_an_unknown_object_is_unknown(other):
    assert not is_small({"a": [other]})


def test_the_attributes_of_an_object_are_counted_or_unknown():
    class Holder:
        def __init__(self):
            self.rows = [0] * 200_000

    assert not is_small(vars(Holder()))
    assert not is_small([vars(Holder())])
