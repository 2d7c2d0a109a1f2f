import time
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.codec import open_json_text
from coatcheck.errors import PathNotFound
from coatcheck.references import Path, close_names, parse_path, walk
from tests.strategies import json_values


def parts(value: Any, path: Path = Path()) -> Iterator[tuple[Path, Any]]:  # noqa: B008
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from parts(member, path.child(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from parts(item, path.child(position))
            yield path.child(position - len(value)), item


@given(json_values)
def test_any_path_built_from_a_value_resolves_to_its_part(value):
    for path, part in parts(value):
        assert walk(value, path) is part
        assert walk(value, parse_path(str(path))) is part


@given(st.lists(st.integers(), max_size=9), st.integers(-12, 12), st.integers(-12, 12))
def test_a_range_works_like_a_python_slice(items, start, stop):
    assert walk(items, parse_path(f"[{start}:{stop}]")) == items[start:stop]


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"items": [{"name": 1}]}, "items[3].name", '"[3]" leads nowhere: at ".items" is a list of 1 item ('),
        ({"name": 1, "size": 2}, "nmae", "Its keys: name, size. Did you mean .name?"),
        ({"a": 1}, "b", "Its keys: a."),
        ({"1": 2}, "[1]", 'quoted: ["1"]'),
        ([{"a": 1}], "a", "take an item first, such as [0].a"),
        ({"a": {"b": 5}}, "a.b.c", 'at ".a.b" is a number.'),
        ({"a": None}, "a.b", 'at ".a" is null.'),
        ({"a": []}, "a[0]", 'at ".a" is an empty list.'),
        ("text", "a", "at the root is a text of 4 characters."),
        ({}, "a", "It is empty."),
    ],
)
def test_the_error_for_a_missing_path_says_how_far_it_resolved_and_what_exists_there(value, path, expected):
    with pytest.raises(PathNotFound) as caught:
        walk(value, parse_path(path))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "make", [lambda: dict.fromkeys(map(str, range(10**6))), lambda: {"k" * 10**6: 1}, lambda: ["x"] * 10**6]
)
def test_the_message_is_short_for_any_value(make):
    value = make()
    with pytest.raises(PathNotFound) as caught:
        walk(value, parse_path("missing"))
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], "text", 5, None])
def test_the_message_is_short_for_any_name(value):
    with pytest.raises(PathNotFound) as caught:
        walk(value, parse_path(f'["{"k" * 4_000}"]'))
    assert len(str(caught.value)) < 1500


def test_a_path_continues_inside_json_text():
    value = {"body": '{"items": [1, {"name": "x"}]}', "log": "[info] started"}
    assert walk(value, parse_path("body.items[1].name"), open_text=open_json_text) == "x"
    assert walk(value, parse_path("log[0:6]"), open_text=open_json_text) == "[info]"
    with pytest.raises(PathNotFound):
        walk(value, parse_path("body.items"))


def test_searching_for_similar_names_is_fast_for_any_names():
    names = ["".join(letters) for letters in islice(product("ab", repeat=40), 600)]
    with pytest.raises(PathNotFound, match="without that key"):
        walk(dict.fromkeys(names), parse_path("ab" * 20))
    took = []
    for _ in range(5):
        started = time.perf_counter()
        close_names("ab" * 20, names)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.25  # 2 s were measured for 600 names of 90 characters
    assert close_names("nmae", ["size", "name"]) == ["name"]
    assert close_names("x" * 41, ["x" * 41]) == []


def test_the_message_is_one_printable_line_for_any_keys():
    odd = "red\x1b[31m\nnext\u202eline\ud800"
    for value in ({odd: 1}, {"a": {odd: {}}}):
        with pytest.raises(PathNotFound) as caught:
            walk(value, Path().child("a").child(odd).child(odd + "x"))
        assert str(caught.value).isprintable()


def test_lines_of_a_text_are_parts_of_it() -> None:
    text = "one\ntwo\nthree\nfour\n"
    assert walk(text, parse_path("lines[1:3]")) == "two\nthree"
    assert walk({"log": text}, parse_path("log.lines[-1]")) == "four"
    assert walk(text, parse_path("lines")) == ["one", "two", "three", "four"]
    assert type(walk(text, parse_path("lines"))) is list
    assert walk(text, parse_path("lines[1][0:2]")) == "tw"
    assert walk(text, parse_path("lines[1:3].lines[1]")) == "three"


def test_a_member_called_lines_comes_before_the_lines_of_its_text() -> None:
    assert walk('{"lines": [1]}', parse_path("lines"), open_text=open_json_text) == [1]
    assert walk('{"a": [1]}', parse_path("lines[0]"), open_text=open_json_text) == '{"a": [1]}'


def test_lines_beyond_the_end_are_reported() -> None:
    with pytest.raises(PathNotFound, match=r'"\[9\]" leads nowhere: at ".lines" is a list of 2 items'):
        walk("a\nb", parse_path("lines[9]"))


def test_an_index_may_be_written_as_a_key() -> None:
    assert walk({"items": [{"name": "a"}]}, parse_path("items.0.name")) == "a"
    assert walk({"items": {"0": "key"}}, parse_path("items.0")) == "key"
    with pytest.raises(PathNotFound, match="a list of 1 item"):
        walk({"items": [1]}, parse_path("items.7"))


def test_only_a_similar_key_is_suggested_on_one_line() -> None:
    value = {f"field number {number} with a long name": 1 for number in range(50)} | {"repository": 1}
    with pytest.raises(PathNotFound) as raised:
        walk(value, parse_path("repositry"))
    assert str(raised.value).endswith("an object without that key. Did you mean .repository?")
