"""The leading path of a filter is applied without jq; the output is the same as with jq alone."""

import json

import jq
import pytest

from coatcheck.explorer.operations import querying
from coatcheck.explorer.operations.jq_analysis import narrow

VALUE = {
    "items": [{"name": "a", "n": 1.5}, {"name": "b", "n": [1, 2, 3]}],
    "a": None,
    "s": "text",
    "and": {"x": 1},
    "k y": {"z": [[1, 2], [3]]},
    "e": [],
}
HEADS = [
    *(".items", ".items[0]", ".items[-1].name", ".items[5]", ".items[-7].x", ".items[0:1]", ".items[:-1]"),
    *(".items[1:]", ".a.b", ".s[0:2]", ".s.x", ".and.x", '."k y".z[0]', '.["k y"].z[1:]', ".e[0]", ".e[0:3]"),
    *(".items.[0]", ".items . name", ". items", ".[0]", "[0]", ".items [0]", ".a[0:2]", ".nope[1].x"),
    *(".items[0].name.x", ".items[1].n[1]", ".items[2:1]", ".items[-100:100]", ".items[:]", ".items[1", "."),
]
TAILS = [
    *("", " | length", "|.", "| . as $x | $x", " |= 1", " // 3", " | type, 1", ", 1", " | path(..)", " as $x | $x"),
    *("?", " | .. |= .", " = 1", "[]", "[] | .name", " | def f: .; f", " | first(.[]?)", " # c\n| length"),
    *(" | # c\n length", " | keys?", "+1", " | $__loc__", " and true", "|error", " |tojson|fromjson"),
]


def run(program, value):
    try:
        return list(jq.compile(f"({program}\n)|tojson").input_text(json.dumps(value)))
    except ValueError as error:
        return str(error).split("(")[0]


@pytest.mark.parametrize("head", HEADS)
def test_the_rest_of_a_filter_on_the_part_gives_the_same_output_as_the_whole_filter(head):
    for tail in TAILS:
        rest, part = narrow(head + tail, VALUE)
        if rest == head + tail:  # no path was applied, so there is nothing to compare
            assert part is VALUE
            continue
        assert run(rest, part) == run(head + tail, VALUE), head + tail


def test_only_the_plain_part_of_a_path_is_applied():
    assert narrow(".items[1].n | add", VALUE) == (" add", [1, 2, 3])
    assert narrow(".s[0:2]", VALUE) == (".[0:2]", "text")
    assert narrow(".items[].name", VALUE)[0] == ".items[].name"


@pytest.mark.parametrize("kind", [lambda value: value, json.dumps], ids=["json", "text"])
def test_a_large_object_is_narrowed_and_its_numbers_keep_their_digits(do, monkeypatch, kind):
    monkeypatch.setattr(querying, "READ_AT_ONCE", 10)
    value = kind({"rows": [{"id": 1234567890123456789012345, "n": 7}, {"id": 3, "n": 8}]})
    assert do("query", value, filter=".rows[0].id").text == "1234567890123456789012345"
    assert do("query", value, filter=".rows[1] | .n").text == "8"
    assert do("query", value, filter=".rows | map(.n)").text == "[7,8]"


def test_a_filter_that_compiles_only_inside_parentheses_is_not_narrowed(do, monkeypatch):
    whole = do("query", {"a": {"c": 1}, "c": 2}, filter=".a | .), (.c").text
    monkeypatch.setattr(querying, "READ_AT_ONCE", 0)
    assert do("query", {"a": {"c": 1}, "c": 2}, filter=".a | .), (.c").text == whole
