import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.codec import encode
from coatcheck.errors import ArgumentRejected, PatternError
from coatcheck.explorer.operations import OPERATIONS, Document
from coatcheck.references import parse_path, walk

LOG = "".join(f"line {number} {'ERROR' if number % 10 == 3 else 'ok'}\n" for number in range(1000))


def test_lines_of_a_text_are_found_with_their_number_and_counted(do):
    answer = do("search", LOG, pattern="error$")

    assert answer.text.startswith("100 matches in 100 lines of @obj_1")
    assert "\n3: line 3 ERROR\n13: line 13 ERROR\n" in answer.text
    assert answer.facts["matches"] == 100


def test_a_line_number_of_search_is_a_position_for_slice(do):
    line = int(re.search(r"^(\d+): line 503 ERROR", do("search", LOG, pattern="^line 503").text, re.MULTILINE)[1])

    assert "503: line 503 ERROR" in do("slice", LOG, start=line, end=line + 1).text


def test_matches_beyond_the_limit_are_counted_and_the_next_page_continues_there(do):
    seen, start = [], 0
    for _ in range(60):
        answer = do("search", LOG, pattern="error", limit=400, start=start)
        assert len(answer.text) <= 400
        seen += re.findall(r"^(\d+):", answer.text, re.MULTILINE)
        following = re.search(r"… (\d+) more: .*start=(\d+)\.", answer.text)
        if not following:
            break
        assert int(following[1]) == 100 - int(following[2])
        start = int(following[2])

    assert seen == [str(number) for number in range(3, 1000, 10)]


def test_case_is_ignored_by_default(do):
    assert do("search", "Error\nerror", pattern="error").facts["matches"] == 2
    assert do("search", "Error\nerror", pattern="error", case_sensitive=True).facts["matches"] == 1


def test_a_match_in_a_long_line_is_shown_with_its_surroundings_and_offset(do):
    text = "a" * 50_000 + "needle" + "b" * 50_000 + "\nneedle two"
    answer = do("search", text, pattern="needle")

    assert "0: (offset 50000) …aaa" in answer.text
    assert "1: needle two" in answer.text
    assert len(answer.text) < 600
    assert text[50000:50006] == "needle"


def test_values_and_keys_of_a_structure_are_found_with_their_paths(do):
    value = {"users": [{"full name": "Ada", "on": True}, {"full name": "Grace Adams", "n": 1.5}], "ada_count": 2}
    answer = do("search", value, pattern="ada")

    assert answer.text.startswith("2 rows and 1 key of @obj_1 match:")
    assert '.users[0]["full name"]: {"full name": "Ada", "on": true}' in answer.text
    assert ".ada_count (key)" in answer.text
    for path in re.findall(r"^(\S*\[.*?\]): ", answer.text, re.MULTILINE):
        assert "ada" in walk(value, parse_path(path)).lower()


def test_numbers_and_booleans_are_found_in_their_json_form(do):
    value = {"a": 1.5, "b": True, "c": 10**30, "d": None, "e": -7}

    assert "\n.b: true" in do("search", value, pattern="^true$").text
    assert "\n.a: 1.5" in do("search", value, pattern=r"^1\.5$").text
    assert "\n.c: 1000000000000000000000000000000" in do("search", value, pattern="^10+$").text
    assert do("search", value, pattern="null").facts["matches"] == 0
    assert do("search", 17, pattern="7").facts["matches"] == 1


def test_long_texts_inside_a_structure_are_searched_by_line(do):
    answer = do("search", {"log": LOG}, pattern="line 503 ")

    assert "\n.log line 503: line 503 ERROR" in answer.text


def test_json_text_is_searched_as_a_value_and_then_as_text(do):
    assert "\n.a: " in do("search", '{"a": "needle"}', pattern="needle").text
    assert "\n0: " in do("search", '{"a": "needle"}', pattern='"a": "needle"').text


def test_a_million_matches_are_counted_and_few_are_shown(do):
    answer = do("search", "x\n" * 200_000, pattern="x", limit=300)

    assert answer.text.startswith("200,000 matches in 200,000 lines")
    assert len(answer.text) <= 300


def test_without_matches_the_answer_says_what_to_try(do):
    assert "Try a shorter pattern" in do("search", "abc", pattern="z").text


@pytest.mark.parametrize("pattern", ["(", "*", "[a", "(?P<n", "a{99999999999999}", "(?<=a+)b", "\\"])
def test_a_malformed_pattern_is_a_helpful_error(do, pattern):
    with pytest.raises(PatternError, match=r"Write a backslash|simpler"):
        do("search", "x", pattern=pattern)
    with pytest.raises(PatternError):
        do("replace", "x", pattern=pattern, replacement="")


def test_replacing_in_a_text_creates_a_new_text(do, new_value):
    answer = do("replace", "a1 b2\nc3", pattern=r"([a-z])(?P<digit>\d)", replacement=r"\g<digit>\1")

    assert new_value(answer) == "1a 2b\n3c"
    assert answer.metadata["kind"] == "text"
    assert answer.facts["replacements"] == 3
    assert 'line 1: "c3" -> "3c"' in answer.text


def test_replacing_in_a_structure_changes_strings_and_nothing_else(do, new_value):
    value = {"foo": ["foo", {"b": "xfoo foo", "n": 1, "t": None}], "c": True}
    answer = do("replace", value, pattern="foo", replacement="bar")

    assert new_value(answer) == {"foo": ["bar", {"b": "xbar bar", "n": 1, "t": None}], "c": True}
    assert answer.facts["replacements"] == 3
    assert '.foo[0]: "foo" -> "bar"' in answer.text


def test_a_count_bounds_the_replacements_over_the_whole_structure(do, new_value):
    answer = do("replace", ["aa", "aa"], pattern="a", replacement="b", count=3)

    assert new_value(answer) == ["bb", "ba"]
    assert answer.facts["replacements"] == 3
    with pytest.raises(ArgumentRejected):
        do("replace", "a", pattern="a", replacement="b", count=-1)


def test_with_a_path_the_new_object_is_that_part(do, new_value):
    assert new_value(do("replace", {"a": ["x", "y"]}, path="a", pattern="x", replacement="z")) == ["z", "y"]


def test_without_replacements_no_object_is_created(do):
    answer = do("replace", "abc", pattern="z", replacement="y")

    assert answer.payload is None
    assert "no new object" in answer.text


@pytest.mark.parametrize(("value", "hints"), [([1, {"1": 11}], True), ("two", False)])
def test_without_replacements_in_a_structure_the_answer_says_what_is_not_searched(do, value, hints):
    answer = do("replace", value, pattern="1", replacement="2")
    assert ("Keys and numbers are not searched" in answer.text) == hints


@pytest.mark.parametrize("replacement", [r"\3", r"\g<nope>", r"\g<", "\\q"])
def test_an_invalid_replacement_is_an_error(do, replacement):
    with pytest.raises(PatternError, match="replacement"):
        do("replace", "aa", pattern="(a)", replacement=replacement)


def test_changes_are_shown_within_a_bound(do):
    answer = do("replace", "x" * 10_000, pattern="x{1000}", replacement="y" * 1000, limit=500)

    assert len(answer.text) <= 500
    assert answer.facts["replacements"] == 10


texts = st.text(alphabet="ab\n é☃", max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.integers(0, 300), st.sampled_from(list(OPERATIONS)), st.data())
def test_no_answer_is_ever_longer_than_its_limit(value, limit, operation, data):
    encoded = encode(value)
    args = {
        "reference": "@obj_1",
        "path": "",
        "limit": limit,
        "pattern": "a|b",
        "replacement": "xx",
        "filter": "..",
        "start": data.draw(st.none() | st.integers(-9, 9)),
        "end": data.draw(st.none() | st.integers(-9, 9)),
        "whole": data.draw(st.booleans()),
    }
    try:
        answer = OPERATIONS[operation](Document(encoded.metadata, encoded.payload, in_sandbox=True), args)
    except ArgumentRejected:
        return
    assert len(answer.text) <= limit


@given(values)
def test_every_found_path_leads_to_the_string(value):
    encoded = encode(value)
    document = Document(encoded.metadata, encoded.payload)
    args = {"reference": "@obj_1", "path": "", "limit": 100_000, "pattern": "a", "case_sensitive": True}
    answer = OPERATIONS["search"](document, args)
    if not isinstance(document.value, (dict, list)):
        return
    shown = [line for line in answer.text.splitlines()[1:] if ": " in line and not line.endswith(" (key)")]
    for line in shown:
        paths = [line[: end.start()] for end in re.finditer(r": ", line)]
        assert any(_contains(document.value, path, "a") for path in paths)
    assert answer.facts["matches"] >= len(shown)


def _contains(value, path, text):
    try:
        found = walk(value, parse_path(path))
    except (ValueError, LookupError):
        return False
    return text in str(found)


def test_matches_in_a_text_with_sections_are_listed_under_their_section(do):
    changes = "".join(
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-old\n+new {name}\n" for name in "xyz"
    )
    assert do("search", changes, pattern=r"^\+new [xz]").text.split("\n")[1:] == [
        "0| x +1 -1",
        "5: +new x",
        "12| z +1 -1",
        "17: +new z",
    ]
    manual = (
        "NAME\n    x - do it\n    well\n\nOPTIONS\n    -a  all of it\n    -b  some\n\nNOTES\n    none of it\n    ever\n"
    )
    assert do("search", manual, pattern="it$|OPTIONS").text.split("\n")[1:] == [
        "0| NAME",
        "1:     x - do it",
        "4: OPTIONS",
        "5:     -a  all of it",
        "8| NOTES",
        "9:     none of it",
    ]


def test_little_is_shown_around_a_match_in_encoded_data(do):
    encoded = "iVBORw0KGgo" + "Ab3+/xYz" * 900
    shown = do("search", {"png": encoded, "text": "word " * 300 + "needle " + "word " * 300}, pattern="Ab3|needle").text
    png, text = shown.split("\n")[1:]
    assert "Ab3" in png
    assert len(png) < 130 < len(text)
    assert "needle" in text


def test_rows_that_are_too_long_to_be_shown_are_not_counted_as_rows(do):
    short, long = {"a": "needle", "b": "needle"}, {"a": "needle", "b": "needle", "c": "x" * 900}
    assert do("search", [short, {**short}], pattern="needle").text.startswith("2 rows and 0 keys")
    assert do("search", [short, long], pattern="needle").text.startswith("3 rows or values and 0 keys")
    assert do("search", [long, {**long}], pattern="needle").text.startswith("4 values and 0 keys")


@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize(
    ("pattern", "advice"),
    [("%word%", "Write the pattern without %: word"), ("[[:digit:]]+", "no classes such as [[:digit:]]")],
)
def test_patterns_of_sql_and_posix_are_explained(do, pattern, advice):
    assert advice in do("search", ["a word"], pattern=pattern).text


def test_matches_in_a_snapshot_are_not_listed_under_the_control_before_them(do):
    page = (
        '- heading "Orders" [ref=e1]\n- button "Save" [ref=e2]\n' + '- row "a" [ref=e3]\n' * 9 + '- row "b" [ref=e4]\n'
    )
    assert "Save" not in do("search", page, pattern='"b"').text
