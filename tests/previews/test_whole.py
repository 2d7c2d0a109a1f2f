import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from coatcheck.explorer.previews import NoJsonForm, render_whole


def test_a_short_structure_is_one_line_and_a_longer_one_has_a_line_per_member() -> None:
    assert render_whole({"name": "é", "ids": [1, 2]}, 24) == '{"name":"é","ids":[1,2]}'
    value = {"names": ["a" * 40, "b" * 40], "ids": {"x": [1, 2]}}
    compact = json.dumps(value, separators=(",", ":"))
    lines = f'{{\n"names":["{"a" * 40}","{"b" * 40}"],\n"ids":{{"x":[1,2]}}\n}}'
    assert render_whole(value, len(lines)) == lines
    assert render_whole(value, len(lines) - 1) == compact
    assert render_whole(value, len(compact)) == compact
    assert render_whole(value, len(compact) - 1) is None


def test_records_have_a_line_each_and_scalars_share_lines() -> None:
    assert render_whole([{"n": number} for number in range(20)], 1000).splitlines()[1:3] == ['{"n":0},', '{"n":1},']
    assert len(render_whole(list(range(200)), 1000).splitlines()) == 1


def test_text_is_unchanged() -> None:
    assert render_whole("a\n\x1b\udc00", 6) == " a\n \x1b\udc00"
    assert render_whole("abcde", 4) is None
    assert render_whole("", 0) == ""


@pytest.mark.parametrize("value", [[10**5000], ["\udc00" * 10], [10**30, "é"], float("inf"), (1, 2), [True, None, 0.1]])
def test_unusual_values_are_written_as_json(value: Any) -> None:
    text = render_whole(value, 20_000)
    assert text is not None
    text.encode()
    if value != [10**5000]:
        json.loads(text)


def test_nesting_beyond_the_limit_is_not_shown_whole() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert render_whole(deep, 20_000) is None
    circle: list[Any] = []
    circle.append(circle)
    assert render_whole(circle, 20_000) is None


@pytest.mark.parametrize("value", [dt.date(2024, 1, 1), [{1, 2}], {"a": b""}, {1: 2}])
def test_python_objects_are_refused(value: Any) -> None:
    with pytest.raises(NoJsonForm):
        render_whole(value, 20_000)


def test_a_value_far_over_the_limit_is_not_traversed() -> None:
    class Counting(list[Any]):
        accesses = 0

        def __iter__(self) -> Iterator[Any]:
            for item in super().__iter__():
                Counting.accesses += 1
                yield item

    assert render_whole([Counting([["x"] * 10] * 1000) for _ in range(1000)], 20_000) is None
    assert Counting.accesses < 20_000
