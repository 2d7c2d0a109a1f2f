"""Filters, paths and patterns in other notations (SQL, JSONPath, shell, Python, globs): the error shows the valid form."""

import re
from typing import Any

import pytest

from coatcheck.codec import encode
from coatcheck.errors import FilterError, PathNotFound, PatternError, ReferenceSyntaxError
from coatcheck.explorer.operations import OPERATIONS, Document

ISSUES = [
    {
        "number": n,
        "title": f"Crash {n}",
        "state": ("open", "closed")[n % 2],
        "comments": n % 7,
        "labels": [{"name": "bug"}],
    }
    for n in range(40)
]
NESTED = {"meta": {"page": 1}, "result": {"items": ISSUES}, "node_modules/axios": {"version": "1.2"}, "a b": [1]}
TEXT = "".join(f"line {n} of the text\n" for n in range(50))


def run(operation: str, value: Any, **args: Any) -> str:
    encoded = encode(value)
    document = Document(encoded.metadata, encoded.payload, in_sandbox=True)
    return OPERATIONS[operation](document, {"reference": "@obj_1", "limit": 8000, **args}).text


@pytest.mark.parametrize(
    ("value", "written", "meant"),
    [
        (ISSUES, "SELECT title FROM t WHERE state='open' LIMIT 5", 'map(select(.state == "open")) | .[:5] | map({title})'),
        (
            ISSUES,
            "select state, count(*) from t where comments >= 3 group by state order by count(*) desc",
            (
                "map(select(.comments >= 3)) | group_by(.state) | map({state: .[0].state, count: length})"
                " | sort_by(.count) | reverse"
            ),
        ),
        (ISSUES, "SELECT * FROM t", ".[:20]"),
        (ISSUES, "SELECT * FROM t ORDER BY comments DESC LIMIT 1;", "sort_by(.comments) | reverse | .[:1]"),
        (ISSUES, "SELECT avg(comments) FROM t", "(map(.comments) | add / length)"),
        (ISSUES, "SELECT number FROM t WHERE title LIKE '%3%' AND comments = 3",
         'map(select((.title | contains("3")) and .comments == 3)) | map({number})'),
        (ISSUES, "jq -r '.[] | .title'", ".[] | .title"),
        (ISSUES, "```jq\n.[0].title\n```", ".[0].title"),
        (ISSUES, '$[?(@.state=="open")].title', '[.[] | select(.state=="open") | .title]'),
        (NESTED, "$.result.items[*].title", "[.result.items[].title]"),
        (ISSUES, "map(select(.state == 'open')) | length", 'map(select(.state == "open")) | length'),
        (ISSUES, 'map(select(.title.startswith("Crash")))', 'map(select((.title | startswith("Crash"))))'),
        (ISSUES, "sort_by(.comments, desc)[0]", "(sort_by(.comments) | reverse)[0]"),
        (ISSUES, "map(.comments) | sum", "map(.comments) | add"),
        (ISSUES, "map(.comments) | avg", "map(.comments) | (add / length)"),
        (ISSUES, "len(.)", "(. | length)"),
        (ISSUES, 'filter(.state == "open") | count', 'map(select(.state == "open")) | length'),
        (ISSUES, 'map(select(.state === "open" && .comments > 2))', 'map(select(.state == "open" and .comments > 2))'),
        (ISSUES, "group_by(.state) | map({state: .[0].state, count: count})",
         "group_by(.state) | map({state: .[0].state, count: length})"),
        (NESTED, ".node_modules/axios.version", '.["node_modules/axios"].version'),
        (NESTED, ".a b[0]", '.["a b"][0]'),
        (ISSUES, '[x["title"] for x in data][:3]', "map(.title) | .[:3]"),
        (
            ISSUES,
            "[i.get('number') for i in items if i['state'] == 'open' and i.comments > 2]",
            'map(select(.state == "open" and .comments > 2) | .number)',
        ),
        (ISSUES, ".[] | .labels[].name | unique", "[.[] | .labels[].name] | unique"),
        (ISSUES, '.[] | select(.title =~ "3$") | .number', '.[] | select((.title | test("3$"))) | .number'),
        (ISSUES, ".[] | select(.title ~ /3$/) | .number", '.[] | select((.title | test("3$"))) | .number'),
        (ISSUES, '.[] | select(.title contains "3").number', '.[] | select((.title | contains("3"))).number'),
        (ISSUES, '.[] | select("3" in .title).number', '.[] | select((.title | index("3") != null)).number'),
        (ISSUES, '.[] | select(.title like "%3%").number', '.[] | select((.title | contains("3"))).number'),
        (ISSUES, '.[] | select(.title | test("\\d3"))', '.[] | select(.title | test("\\\\d3"))'),
        (ISSUES, ".[] | select(.number in [1, 2]) | .title", ".[] | select((.number | IN(1, 2))) | .title"),
        (ISSUES, ".[] | select(.number not in (1, 2)) | .title", ".[] | select((.number | IN(1, 2) | not)) | .title"),
        (ISSUES, ".[] | select(.number between 1 and 3) | .title",
         ".[] | select((.number >= 1 and .number <= 3)) | .title"),
        (ISSUES, ".[] | select(!(.number > 3)) | .title", ".[] | select(((.number > 3) | not)) | .title"),
        (ISSUES, "[.[] | select(.number <> 1)] | length", "[.[] | select(.number != 1)] | length"),
        (ISSUES, ".[] | select(.title is not null) | .title", ".[] | select(.title != null) | .title"),
        (ISSUES, ".[] | .missing ?? 1", ".[] | .missing // 1"),
        (ISSUES, ".[] | .number ? .title : 0", ".[] | (if .number then .title else 0 end)"),
        (ISSUES, '.filter(x => x.state == "open").map(x => x.title)',
         'map(select(.state == "open")) | map(.title)'),
        (ISSUES, '.filter(x => x.state == "open").length', 'map(select(.state == "open")) | length'),
        (ISSUES, "group_by(.state).map(g => g.length)", "group_by(.state) | map(length)"),
        (ISSUES, '.[] | where(.state == "open") | .title', '.[] | select(.state == "open") | .title'),
        (ISSUES, "unique(.state) | length", "unique_by(.state) | length"),
        (ISSUES, "distinct_by(.state) | length", "unique_by(.state) | length"),
        (ISSUES, "max(.[].comments)", "([.[].comments] | max)"),
        (ISSUES, "max(.comments).title", "max_by(.comments).title"),
        (ISSUES, "orderBy(.comments) | .[0].title", "sort_by(.comments) | .[0].title"),
        (ISSUES, "sort_by(.comments) desc | .[0].title", "(sort_by(.comments) | reverse) | .[0].title"),
        (ISSUES, "[limit(3, .[].title)]", "[limit(3; .[].title)]"),
        (ISSUES, "map(.title) | head 3", "map(.title) | .[:3]"),
        (ISSUES, ".[0] | keys()", ".[0] | keys"),
        (ISSUES, ".[5].number.toString()", "(.[5].number | tostring)"),
        (ISSUES, '.[] | select(lower(.title) == "crash 3").number',
         '.[] | select((.title | ascii_downcase) == "crash 3").number'),
        (ISSUES, ".[5].number / 3 | toFixed(1)", ".[5].number / 3 | (. * 1e1 | round / 1e1)"),
        (ISSUES, ".[] | if .number > 3 then .title else 0", ".[] | if .number > 3 then .title else 0 end"),
        (ISSUES, "[.[] | {title, number", "[.[] | {title, number}]"),
        (ISSUES, "| .[0].title", ".[0].title"),
        (ISSUES, "[*].title", "[.[].title]"),
        (ISSUES, "$..title", "[.. | objects | .title]"),
        (ISSUES, "jq -r '.[0].title' issues.json", ".[0].title"),
        (ISSUES, '.[].title | join(",")', '[.[].title] | join(",")'),
        (ISSUES, "@obj_1[0].title", ".[0].title"),
        (ISSUES, "items[0].title", ".[0].title"),
        (ISSUES, "issues | length", ". | length"),
        (NESTED, "result.items[0].title", ".result.items[0].title"),
        (ISSUES, ".[0] as x | {title: x.title, n: (x.number + 1)}", ".[0] as $x | {title: $x.title, n: ($x.number + 1)}"),
        (NESTED, "@obj_1.result.items | length", ".result.items | length"),
    ],
)  # fmt: skip
def test_the_error_for_a_filter_in_another_language_shows_a_valid_one(value: Any, written: str, meant: str) -> None:
    with pytest.raises(FilterError) as caught:
        run("query", value, filter=written)
    assert str(caught.value).partition("Did you mean: ")[2] == meant
    assert run("query", value, filter=meant) not in {"", "null", "[]", "0"}


@pytest.mark.parametrize(
    "written",
    ["SELECT 1", "$nothing", "[x for x, y in data]", ")", ".a | nosuch(1)", "select from where", "'" * 300, "." * 900],
)
def test_the_error_for_an_unrecognised_filter_has_no_suggestion(written: str) -> None:
    with pytest.raises(FilterError) as caught:
        run("query", ISSUES, filter=written)
    assert "Did you mean" not in str(caught.value)
    assert type(caught.value) is not FilterError or "is not a jq filter" in str(caught.value)


def test_a_filter_is_checked_with_the_same_advice() -> None:
    with pytest.raises(FilterError, match=r"Did you mean: map\(\.a\) \| add$"):
        run("check_filter", 1, filter="map(.a) | sum")
    with pytest.raises(FilterError, match="is not a jq filter: ") as caught:
        run("check_filter", 1, filter="SELECT 1")
    assert type(caught.value) is FilterError


def test_the_error_for_a_key_of_a_list_suggests_map_or_leaving_it_out() -> None:
    with pytest.raises(FilterError, match=r"with string .*This is a list of 40 items: write map\(\.title\)\.$"):
        run("query", ISSUES, filter=".title")
    with pytest.raises(FilterError, match=r"list of 40 items with the keys number, title, .*: leave out \.items, or"):
        run("query", ISSUES, filter=".items | length")


def test_a_filter_with_a_wrong_path_suggests_the_right_one() -> None:
    assert run("query", NESTED, filter=".items | length") == (
        "(There is no key items there; did you mean .result.items?)\n0"
    )
    assert run("query", NESTED, filter=".axios.version") == (
        '(There is no key axios in the object; did you mean .["node_modules/axios"]?)\nnull'
    )
    assert run("query", {"a": None}, filter=".a") == "null"


def test_an_assignment_in_a_condition_is_noted() -> None:
    shown = run("query", ISSUES, filter='map(select(.state = "open")) | length')
    assert shown == "(= assigns and makes each condition true: to compare, write ==)\n40"
    assert run("query", ISSUES, filter='map(select(.state == "open" and .title != "a=b")) | length') == "20"
    assert run("query", {"a": 1}, filter=".a = 3 | .a |= . + 1") == '{"a":4}'


@pytest.mark.parametrize(
    ("value", "written", "meant"),
    [
        (ISSUES, "/0/title", "[0].title"),
        (NESTED, "/node_modules~1axios/version", '["node_modules/axios"].version'),
        (TEXT, "line 7", "lines[7]"),
        (TEXT, "lines 7-9", "lines[7:9]"),
        (ISSUES, "3:5", "[3:5]"),
    ],
)
def test_the_error_for_a_path_in_another_notation_shows_a_valid_one(value: Any, written: str, meant: str) -> None:
    with pytest.raises(ReferenceSyntaxError) as caught:
        run("show", value, path=written)
    assert str(caught.value).partition("Did you mean: ")[2].startswith(meant)
    assert run("show", value, path=meant)


def test_the_error_for_a_condition_in_a_path_shows_a_valid_filter() -> None:
    with pytest.raises(ReferenceSyntaxError) as caught:
        run("show", NESTED, path='result.items[?(@.state=="open")].title')
    filter_ = str(caught.value).partition("As a jq filter: ")[2]
    assert filter_ == '[.result.items[] | select(.state=="open") | .title]'
    assert run("query", NESTED, filter=filter_).count("Crash") == 20


@pytest.mark.parametrize(
    ("value", "written", "meant"),
    [
        (NESTED, "items[0].title", ".result.items"),
        ({"content": [{"uri": "a"}]}, "[0].uri", ".content[0].uri"),
        (NESTED, "axios.version", '["node_modules/axios"]'),
        (NESTED, "Result.items", ".result"),
    ],
)
def test_the_error_for_a_path_from_a_wrong_root_shows_the_right_one(value: Any, written: str, meant: str) -> None:
    with pytest.raises(PathNotFound) as caught:
        run("show", value, path=written)
    found = re.search(r"Did you mean (.*)\?$", str(caught.value))
    assert found is not None
    assert found[1] == meant
    assert run("show", value, path=meant)


def test_the_error_for_an_index_of_a_text_suggests_lines() -> None:
    with pytest.raises(PathNotFound, match=r"its lines are lines\[3\]"):
        run("show", TEXT, path="[3].level")


@pytest.mark.parametrize(("written", "meant"), [("*of*text*", "of.*text"), ("lin? 7", "lin. 7"), ("text(", r"text\(")])
def test_the_error_for_a_glob_or_literal_text_shows_a_regular_expression(written: str, meant: str) -> None:
    if written == "lin? 7":  # it is a valid regular expression too, which finds nothing
        assert run("search", TEXT, pattern=written).startswith("0 matches")
        return
    with pytest.raises(PatternError) as caught:
        run("search", TEXT, pattern=written)
    assert str(caught.value).rpartition(": ")[2] == meant
    run("search", TEXT, pattern=meant)


@pytest.mark.parametrize(("written", "meant"), [("/LINE 7/i", "LINE 7"), (r"line 7\|line 8", "line 7|line 8")])
def test_a_pattern_in_another_syntax_that_finds_nothing_gets_a_suggestion(written: str, meant: str) -> None:
    shown = run("search", TEXT, pattern=written)
    assert shown.rpartition(": ")[2] == meant
    assert not run("search", TEXT, pattern=meant).startswith("0 ")


def test_a_line_anchor_on_a_text_of_many_lines_is_noted() -> None:
    shown = run("query", TEXT, filter='[match("^line";"g")] | length')
    assert shown == (
        '(^ and $ match the ends of the whole text: for each line write "(?m)^…", or begin with split("\\n"))\n1'
    )
    assert run("query", TEXT, filter='[match("(?m)^line";"g")] | length') == "50"
    assert run("query", TEXT, filter='split("\\n") | map(select(test("^line 1"))) | length') == "11"
    assert run("query", ["line"], filter='map(test("^line"))') == "[true]"


@pytest.mark.parametrize(
    ("texts", "given"),
    [
        (["9.369,25", "7,5"], "9376.75"),
        (["1,234,567.5", "1,000"], "1235567.5"),
        (["12 ms", "3 ms"], "15"),
        (["n/a", "4"], "4"),
    ],
)
def test_the_error_for_a_text_that_is_not_a_number_says_how_to_convert_it(texts: list[str], given: str) -> None:
    with pytest.raises(FilterError) as caught:
        run("query", texts, filter="map(tonumber) | add")
    reading = str(caught.value).rpartition(": ")[2] if "not a number: " in str(caught.value) else ""
    reading = reading or re.search(r"(?:comma|thousands|first number): (.*)$", str(caught.value))[1]  # type: ignore[index]
    assert run("query", texts, filter=f"map({reading}) | add") == given


@pytest.mark.parametrize(
    ("pattern", "filter_", "count"),
    [
        ('"state": "open"', '[.. | objects | select(.state == "open")]', 20),
        (r'"state":\s*"open"', '[.. | objects | select(.state == "open")]', 20),
        ('state: "closed"', '[.. | objects | select(.state == "closed")]', 20),
        ('"comments": 3', "[.. | objects | select(.comments == 3)]", 6),
    ],
)
def test_a_search_for_a_key_with_its_value_suggests_a_filter(pattern: str, filter_: str, count: int) -> None:
    shown = run("search", NESTED, pattern=pattern)
    assert shown == (
        "0 values and 0 keys of @obj_1 match. Keys and values are searched apart; both together are found by the filter "
        + filter_
    )
    assert run("query", NESTED, filter=f"{filter_} | length") == str(count)


def test_a_reference_to_another_object_in_a_filter_is_not_accepted() -> None:
    with pytest.raises(FilterError) as caught:
        run("query", ISSUES, filter="@obj_12[0].title")
    assert "Did you mean" not in str(caught.value)


def test_the_error_for_adding_a_number_to_a_text_says_how() -> None:
    with pytest.raises(
        FilterError, match=r"cannot be added.* Make a text of the number first: \(\.name \| tostring\)\.$"
    ):
        run("query", "a,b\n1,x\n2,y\n3,z\n", filter='.[] | .a + ": " + .b')


def test_line_breaks_of_a_filter_are_legible_in_its_error() -> None:
    with pytest.raises(FilterError, match=r'^The filter "\.\[\]\\n\| nosuch" is not a jq filter'):
        run("query", ISSUES, filter=".[]\n| nosuch")
