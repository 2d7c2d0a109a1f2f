import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from coatcheck.previews import NotPlain, render_whole


def test_structure_is_indented_where_that_fits_and_compact_where_only_that_does() -> None:
    value = {"name": "é", "ids": [1, 2]}
    indented = '{\n  "name": "é",\n  "ids": [\n    1,\n    2\n  ]\n}'
    compact = '{"name":"é","ids":[1,2]}'
    assert render_whole(value, len(indented)) == indented
    assert render_whole(value, len(indented) - 1) == compact
    assert render_whole(value, len(compact)) == compact
    assert render_whole(value, len(compact) - 1) is None


def test_text_is_given_as_it_is() -> None:
    assert render_whole("a\n\x1b\udc00", 4) == "a\n\x1b\udc00"
    assert render_whole("abcde", 4) is None
    assert render_whole("", 0) == ""


@pytest.mark.parametrize("value", [[10**5000], ["\udc00" * 10], [10**30, "é"], float("inf"), (1, 2), [True, None, 0.1]])
def test_odd_values_are_written_as_json(value: Any) -> None:
    text = render_whole(value, 20_000)
    assert text is not None
    text.encode()
    if value != [10**5000]:
        json.loads(text)


def test_nesting_beyond_all_readers_is_not_shown_whole() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert render_whole(deep, 20_000) is None
    circle: list[Any] = []
    circle.append(circle)
    assert render_whole(circle, 20_000) is None


@pytest.mark.parametrize("value", [dt.date(2024, 1, 1), [{1, 2}], {"a": b""}, {1: 2}])
def test_python_objects_are_refused(value: Any) -> None:
    with pytest.raises(NotPlain):
        render_whole(value, 20_000)


def test_a_value_far_over_the_limit_is_not_gone_through() -> None:
    class Counting(list[Any]):
        handed_out = 0

        def __iter__(self) -> Iterator[Any]:
            for item in super().__iter__():
                Counting.handed_out += 1
                yield item

    assert render_whole([Counting([["x"] * 10] * 1000) for _ in range(1000)], 20_000) is None
    assert Counting.handed_out < 20_000
