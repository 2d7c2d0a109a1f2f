"""Filters in Python, JavaScript and JMESPath, and without the dots of keys: the error shows a filter that works."""

import re
from typing import Any

import pytest

from coatcheck.errors import FilterError
from tests.operations.test_other_languages import ISSUES, run

PAGE = {"items": ISSUES, "total": 40}


@pytest.mark.parametrize(
    ("value", "written", "meant"),
    [
        (ISSUES, "let x = map(.comments) | add; x", "(map(.comments) | add) as $x | $x"),
        (ISSUES, "const first = .[0]; first.title", "(.[0]) as $first | $first.title"),
        (ISSUES, "total = map(.comments) | add", "map(.comments) | add"),
        (ISSUES, 'map(f"{.number}: {.title}")', r'map("\(.number): \(.title)")'),
        (ISSUES, "map(`${.title}`)", r'map("\(.title)")'),
        (ISSUES, 'sum(r["comments"] for r in data)', "map(.comments) | add"),
        (
            ISSUES,
            'len([r for r in data if r["state"] == "open"])',
            'map(select(.state == "open")) | length',
        ),
        (
            ISSUES,
            'sorted(data, key=lambda r: r["comments"], reverse=True)[:3]',
            "sort_by(.comments) | reverse | .[:3]",
        ),
        (ISSUES, "set(r.state for r in data)", "map(.state) | unique"),
        (ISSUES, "[?state=='open'].title", '[.[] | select(.state=="open") | .title]'),
        (ISSUES, "[?comments > `5`].title", "[.[] | select(.comments > 5) | .title]"),
        (ISSUES, "[*].{n: number, t: title}", ".[] | {n: .number, t: .title}"),
        (ISSUES, "sort_by(@, &comments)[-1].title", "sort_by(.comments)[-1].title"),
        (PAGE, "items[?state==`open`]", '[.items[] | select(.state=="open")]'),
        (ISSUES, "map({number, t: title})", "map({number, t: .title})"),
        (PAGE, ".items | group_by(state) | length", ".items | group_by(.state) | length"),
        (PAGE, "return .total;", ".total"),
        (PAGE, "data.items[0]", ".items[0]"),
        (PAGE, ".items.0.title", ".items[0].title"),
        (PAGE, "/items/0/title", ".items[0].title"),
        (ISSUES, ".[0..2]", ".[0:2]"),
        (ISSUES, "map(select(.comments > 2 AND .number < 9))", "map(select(.comments > 2 and .number < 9))"),
        (ISSUES, 'map(if .comments > 5 then "a" else "b")', 'map(if .comments > 5 then "a" else "b" end)'),
        (
            ISSUES,
            "value_counts(.state)",
            "group_by(.state) | map({key: (.[0] | .state), count: length})",
        ),
        (ISSUES, 'map(.title | replace("a", "b"))', 'map(.title | gsub("a"; "b"))'),
        (ISSUES, ".find(i => i.number == 7)", "map(select(.number == 7)) | .[0]"),
        (ISSUES, ".sort((a, b) => b.comments - a.comments)", "sort_by(.comments) | reverse"),
        (ISSUES, "SELECT DISTINCT state FROM t", "map(.state) | unique"),
        (ISSUES, "map(.comments) | median", "map(.comments) | (sort | .[length / 2 | floor])"),
    ],
)
def test_a_filter_that_does_not_compile_is_answered_with_one_that_does(value: Any, written: str, meant: str):
    with pytest.raises(FilterError, match=r"is not a jq filter\. Did you mean: ") as error:
        run("query", value, filter=written)
    assert str(error.value).partition("Did you mean: ")[2] == meant
    assert run("query", value, filter=meant)


@pytest.mark.parametrize(
    ("value", "written", "meant"),
    [
        (ISSUES, 'select(.state == "open")', 'write map(select(.state == "open")).'),
        (ISSUES, ".[:3] | .title", "write .[:3] | map(.title)."),
        (ISSUES, ".[0:2].title", "write [.[0:2][].title]."),
        (ISSUES, ".length", "write length."),
        (
            ISSUES,
            "group_by(.state) | .[] | {state, n: length}",
            "write group_by(.state) | .[] | {state: .[0].state, n: length}.",
        ),
        (PAGE, ".items.title", "Did you mean: [.items[].title]"),
        (PAGE, ".items.length", "Did you mean: .items | length"),
        (PAGE, "map(.title)", "Did you mean: .items | map(.title)"),
    ],
)
def test_a_filter_that_asks_a_list_for_a_key_is_answered_with_one_that_was_tried(value: Any, written: str, meant: str):
    with pytest.raises(FilterError, match=re.escape(meant) + "$"):
        run("query", value, filter=written)


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("sort_by(.comments) | first(3)", "first(3) gives the number 3: for that many items write .[:3]"),
        ('map("{.title}")', r"A value inside a text is written \(.name)"),
        ('map("$(.title)")', r"A value inside a text is written \(.name)"),
    ],
)
def test_a_filter_that_runs_but_means_something_else_has_a_note(written: str, note: str):
    assert run("query", ISSUES, filter=written).startswith(f"({note})")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("number > 3", "map(select(.number > 3))"),
        (".[] | .number | avg", "[.[] | .number] | (add / length)"),
        ('{x["title"]: x["number"] for x in issues}', "map({(.title): .number}) | add"),
        ('Counter(x["title"] for x in issues)', "map(.title) | group_by(.) | map({key: .[0], count: length})"),
    ],
)
def test_a_suggested_filter_works_on_the_object(written: str, meant: str):
    with pytest.raises(FilterError, match=re.escape(f"Did you mean: {meant}") + "$"):
        run("query", ISSUES, filter=written)
    assert run("query", ISSUES, filter=meant) not in {"", "null", "[]", "0"}


@pytest.mark.parametrize(
    "written",
    ["data.reduce((a, x) => a + x.n, 0)", "SELECT SUM(a*b) FROM t", "select top 5 * from t", "nosuch(1)", "_.chain(a)"],
)
def test_the_error_for_other_filters_shows_an_example_that_works_on_the_object(written: str):
    with pytest.raises(FilterError, match="is not a jq filter: ") as caught:
        run("query", ISSUES, filter=written)
    example = str(caught.value).partition(" For example: ")[2]
    assert run("query", ISSUES, filter=example) not in {"", "null", "[]", "0"}
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "written", "meant"),
    [
        ("a ERROR\nb\n" * 9, 'map(select(contains("ERROR"))) | length', ""),
        ('{"n": 1}\n{"n": 2\n' * 9, "map(.n) | add", "map(fromjson?) | "),
    ],
)
def test_a_filter_for_items_is_suggested_for_the_lines_of_a_text(text: str, written: str, meant: str):
    filter_ = f'split("\\n") | {meant}{written}'
    with pytest.raises(FilterError, match=re.escape(f"This is a text of 18 lines: write {filter_}") + "$"):
        run("query", text, filter=written)
    assert run("query", text, filter=filter_) == "9"
