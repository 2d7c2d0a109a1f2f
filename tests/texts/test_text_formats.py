"""Texts that are documents or tables are parsed exactly; all others stay texts."""

import csv
import datetime
import json
import re
import time
from decimal import Decimal
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coatcheck.explorer import texts
from coatcheck.explorer.texts import csv_tables, open_text
from coatcheck.explorer.texts.text_formats import recognise
from tests.waiting import within


def opened(text: str) -> Any:
    found = open_text(text, in_sandbox=True)
    return None if found is None else found.value


def form(text: str) -> str | None:
    found = open_text(text, in_sandbox=True)
    return None if found is None else found.format


def test_json_lines_become_a_list_of_documents():
    text = '{"a": 1}\n\n{"a": [2]}\r\n[3]\n'
    assert (form(text), opened(text)) == ("JSON Lines", [{"a": 1}, {"a": [2]}, [3]])


def test_a_truncated_json_line_is_omitted_and_reported():
    text = '{"a": 1}\n{"a": 2}\n{"a": '
    assert form(text) == "JSON Lines (the last line is cut off and left out)"
    assert opened(text) == [{"a": 1}, {"a": 2}]


NESTED = [{"id": n, "note": f'a "[{n}] b', "tags": ["x", "y\\"], "in": {"of": [n, [n]]}} for n in range(40)]
CUT = "JSON (cut off; the incomplete last part is left out)"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("note", ["", "…", "\n\n[truncated, 300 characters more]"])
@pytest.mark.parametrize(
    "around", [lambda rows: rows, lambda rows: {"meta": {"n": 40}, "data": {"rows": rows}, "next": 1}]
)
def test_a_json_document_that_is_cut_off_anywhere_has_its_complete_items(indent, note, around):
    text = json.dumps(around(NESTED), indent=indent)
    shortest = len(json.dumps(around(NESTED[:25]), indent=indent))
    for end in range(shortest, len(text) - 1, 23):
        value = opened(text[:end] + note)
        rows = value if isinstance(value, list) else value["data"]["rows"]
        assert len(rows) >= 24
        assert value in (around(rows), {"meta": {"n": 40}, "data": {"rows": rows}})
        assert rows == NESTED[: len(rows)]
        assert form(text[:end] + note) == CUT


@pytest.mark.parametrize(
    "text",
    [
        "[INFO] a, b, [c\n" * 9,
        "a {\n  b: [1, 2,\n" * 9,
        "{a: 1, b: [2, 3,",
        "[" * 9_000,
        '["' + '\\"' * 9_000,
        "[1, 2]]]",
    ],
)
def test_a_text_with_other_brackets_is_not_json_that_is_cut_off(text: str):
    assert form(text) != CUT


@pytest.mark.parametrize("space", ["", " \n"])
def test_json_that_was_encoded_twice_is_read(space: str):
    text = f"{space}{json.dumps(space + json.dumps(DOCUMENTS))}{space}"
    assert (opened(text), form(text)) == (DOCUMENTS, "JSON in a JSON string")
    assert opened('"[1] and words"') is None
    assert opened('"[1, 2", "3]"') is None


@pytest.mark.parametrize("blank", ["", "\n"])
@pytest.mark.parametrize("title", ["", "# Changes\n\n"])
def test_lists_under_headings_are_markdown_and_not_yaml(blank: str, title: str):
    changes = "".join(f"## 1.{n}.0\n{blank}- Fixed: part {n}\n- Added more\n\n" for n in range(30))
    assert opened(title + changes) is None
    assert recognise(title + changes) == "Markdown"


def test_lists_below_sentences_are_not_yaml():
    assert opened("".join(f"- Part {n}\n  - Fixed it\n  - Added more\n" for n in range(30))) is None
    assert opened("- parts:\n  - a\n- more:\n    - b\n") == [{"parts": ["a"]}, {"more": ["b"]}]
    assert opened("- - a\n  - b\n- !!seq\n  - c\n") == [["a", "b"], ["c"]]


@pytest.mark.parametrize("start", ["", "\n", "# Notes\n", "\n## Notes\n\n", "# Notes\n\n### Part\n"])
def test_lists_below_front_matter_are_markdown_and_not_yaml(start: str):
    items = "".join(f"- item {n}: text\n" for n in range(30))
    assert opened(f"---\ntitle: A\ntags:\n  - b\n---\n{start}{items}") is None


def test_several_yaml_documents_with_comments_are_yaml():
    text = "---\n# Source: a.yaml\nkind: A\nitems:\n- b\n---\n# Source: b.yaml\nkind: B\n"
    assert opened(text) == [{"kind": "A", "items": ["b"]}, {"kind": "B"}]
    assert opened("---\n- a: 1\n- b: 2\n---\n- c: 3\n") == [[{"a": 1}, {"b": 2}], [{"c": 3}]]


def test_yaml_lists_with_comments_are_yaml():
    text = "# Fruits\n- apple\n- name: pear\n  size: 2\n# Others\n- carrot\n"
    assert opened(text) == ["apple", {"name": "pear", "size": 2}, "carrot"]
    assert opened("## All settings\na: 1\n\n## More\nb: 2\n") == {"a": 1, "b": 2}


def test_several_documents_among_words_are_a_list_of_them():
    first, second = [{"a": 1}] * 9, [{"b": 2}] * 9
    text = f"Orders:\n```json\n{json.dumps(first)}\n```\nCustomers:\n```json\n{json.dumps(second)}\n```\n"
    found = open_text(text, in_sandbox=False)
    assert found is not None
    assert (found.format, found.value) == ("2 JSON documents (lines 2, 6)", [first, second])


DOCUMENTS = [{"a": number} for number in range(40)]
JSON_LINES = [json.dumps(document) for document in DOCUMENTS]


@pytest.mark.parametrize(
    ("lines", "which"),
    [
        ([*JSON_LINES[:9], '{"a": ', *JSON_LINES[9:]], "line 9 is"),
        (["", "Found 40 rows:", *JSON_LINES], "line 1 is"),
        (
            [*JSON_LINES[:30], "Traceback:", "  in f", "", "ValueError", *JSON_LINES[30:], ""],
            "3 lines from line 30 on are",
        ),
        ([*JSON_LINES, "40 rows"], "line 40 is"),
        (["```json", *JSON_LINES, "```"], "2 lines from line 0 on are"),
    ],
    ids=["broken", "introduced", "of a program", "ended", "fenced"],
)
def test_a_few_other_lines_among_many_json_lines_are_omitted_and_reported(lines: list[str], which: str):
    text = "\n".join(lines)
    assert opened(text) == DOCUMENTS
    assert form(text) == f"JSON Lines ({which} not JSON and left out)"


@pytest.mark.parametrize("other", [["{"], ["words of a program"] * 5])
def test_with_more_other_lines_it_stays_a_text(other: list[str]):
    assert opened("\n".join([*JSON_LINES[:4], *other, *JSON_LINES[4 : 9 * len(other) - 1]])) is None


def test_several_consecutive_documents_become_a_list():
    assert opened('{"a": 1}{"a": 2}\n\n [3]') == [{"a": 1}, {"a": 2}, [3]]
    assert form('{\n "a": 1\n}\n{\n "a": 2\n}') == "2 JSON documents in a row"


@pytest.mark.parametrize(
    "around", ["Here:\n\n```json\n%s\n```\n\nDone.", "Result: %s", "Found 4 items:\n%s\nThat is all."]
)
def test_json_inside_prose_is_read(around: str):
    value = {"hosts": [{"name": f"node-{number}"} for number in range(9)]}
    text = around % json.dumps(value, indent=1)
    assert opened(text) == value
    assert form(text).startswith("JSON (line")


@pytest.mark.parametrize(
    "text",
    [
        "See [1] and [2] for more.",
        "# Manual\n\nText.\n\n```json\n{}\n```\n\n" + "More text.\n" * 30,
        "def f(a):\n    return [a]\n",
        "[info] started\n[info] ended\n",
        "Dear all, hello\nthanks, everyone\nbye, now\n",
        "1\n2\n3\n4\n",
        "",
        "[",
        "{]",
    ],
)
def test_other_texts_stay_texts(text: str):
    assert opened(text) is None


def test_a_byte_order_mark_is_skipped():
    assert opened('\ufeff{"a": 1}') == {"a": 1}
    assert opened("\ufeffa,b\n1,2\n3,4\n") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_integers_keep_all_their_digits_and_nan_becomes_null():
    assert opened('{"wei": 12345678901234567890123456007}') == {"wei": 12345678901234567890123456007}
    assert opened('{"wei": 12345678901234567890123456007}\n{"wei": NaN}\n') == [
        {"wei": 12345678901234567890123456007},
        {"wei": None},
    ]
    assert opened("a,b\n1,12345678901234567890123\n2,3\n")[0]["b"] == 12345678901234567890123


def test_a_table_becomes_a_list_of_objects_with_the_keys_of_its_header():
    text = 'id,name,price\n1,"Smith, Ann",1.5\n2,"said ""hi""",\n3,"two\nlines",-2e3\n'
    assert opened(text) == [
        {"id": 1, "name": "Smith, Ann", "price": 1.5},
        {"id": 2, "name": 'said "hi"', "price": None},
        {"id": 3, "name": "two\nlines", "price": -2000.0},
    ]


@pytest.mark.parametrize(("delimiter", "name"), [(",", "CSV"), ("\t", "TSV"), (";", "CSV with semicolons")])
def test_tables_are_recognised_by_their_separator(delimiter: str, name: str):
    text = "\n".join(delimiter.join(row) for row in (("id", "name"), ("1", "x"), ("2", "y")))
    assert (form(text), opened(text)) == (name, [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}])


def test_a_table_without_a_header_becomes_a_list_of_rows():
    assert opened("1,x\n2,y\n3,z\n") == [[1, "x"], [2, "y"], [3, "z"]]
    assert form("1,x\n2,y\n3,z\n") == "CSV without a header, 2 columns"


@pytest.mark.parametrize("odd", ["007", "1.", "+1", "n/a", "0x10", "1_000", "NaN", "0.12345678901234567890", "1e999"])
def test_a_column_with_anything_but_exact_numbers_stays_text(odd: str):
    assert opened(f"id,v\n1,1\n2,{odd}\n3,3\n") == [
        {"id": 1, "v": "1"},
        {"id": 2, "v": odd},
        {"id": 3, "v": "3"},
    ]


def test_columns_with_the_same_name_are_all_kept():
    assert opened(",a,a b\n0,1,x\n1,2,y\n")[0] == {"column_1": 0, "a": 1, "a b": "x"}


def test_a_truncated_row_is_omitted_and_reported():
    text = "a,b\n1,2\n3,4\n5"
    assert opened(text) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert form(text) == "CSV, the last line does not fit and is left out"


def test_log_lines_with_a_comma_in_their_time_are_not_a_table():
    assert opened("2026-01-01 10:00:00,123 INFO x\n" * 9) is None


PRINTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1),
    max_leaves=12,
)


@example([{"'\x1f": 0}])
@example({"it's": 1, "b": "\U000e0001"})
@given(value=st.lists(PRINTED, min_size=1) | st.dictionaries(st.text(), PRINTED, min_size=1))
def test_the_repr_of_plain_python_values_is_parsed(value: Any):
    found = open_text(repr(value), in_sandbox=True)
    if found is not None:  # a list of numbers is JSON, and a text that starts with words may stay a text
        assert found.value == value
    else:
        assert "'" not in repr(value)[:1000]
        assert "None" not in repr(value)[:1000]


def test_python_objects_have_their_stored_form():
    rows = [
        {"id": UUID(int=1), "at": datetime.datetime(2026, 1, 2, 3, 4), "on": datetime.date(2026, 1, 2)},  # noqa: DTZ001
        {"price": Decimal("1.50"), "pair": (1,), "none": ()},
    ]
    assert opened(repr(rows)) == [
        {"id": str(UUID(int=1)), "at": "2026-01-02T03:04:00", "on": "2026-01-02"},
        {"price": "1.50", "pair": [1], "none": []},
    ]
    assert opened("{1: 'a', 'b': {2}}") == {"1": "a", "b": [2]}
    assert opened(f"{{'a': {2**100}, 'b': {{2}}}}") == {"a": 2**100, "b": [2]}


@pytest.mark.parametrize(
    "text",
    ["[print('x')]", "[__import__('os').system('true')]", "['a', <object at 0x1>]", "['a' * 10**9]", "[f'{1}']"],
)
def test_other_python_code_is_never_run(text: str):
    assert opened(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "{'a': " + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "[" * 500_000,
        "{" * 500_000,
        "[{" * 250_000,
        "a," * 500_000 + "\n" + "a," * 500_000,
        '"' * 500_001 + ",\n" * 3,
        "'" * 500_000 + "\n[" * 1000,
        "[['" + "\\" * 100_000 + "']]",
    ],
    ids=range(9),
)
def test_hostile_texts_do_not_fail_or_hang(text: str):
    with within(2.0, time.process_time):
        open_text(text, in_sandbox=True)


@given(text=st.text(alphabet="[]{}(),:;'\"\n\t\\ aN1.\ufeff-|"))
def test_no_text_makes_a_parser_fail(text: str):
    found = open_text(text, in_sandbox=True)
    assert found is None or isinstance(found.value, (list, dict))


def test_only_line_breaks_end_a_line_of_json():
    text = '{"a": "one\u2028two\x85three"}\n{"a": "four"}\n'
    assert opened(text) == [{"a": "one\u2028two\x85three"}, {"a": "four"}]
    assert opened("a,b\n1,one\u2028two\n2,x\n") == [{"a": 1, "b": "one\u2028two"}, {"a": 2, "b": "x"}]


def test_reading_a_table_does_not_change_the_csv_module():
    before = csv.field_size_limit()
    assert opened("a,b\n1,2\n3,4\n")
    assert opened("a,b\n1,2\n3," + "x" * (before + 1) + "\n") is None
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("lead", "line"),
    [
        ('"Report for 2025"\nGenerated, with care\n\n', 3),
        ("# exported\n# by x, y\n", 2),
        ("Sales\r\n\r\n", 2),
    ],
)
def test_a_table_may_follow_titles_or_comments(lead: str, line: int):
    text = f"{lead}id,name\n1,a\n2,b\n3,c\n"
    assert opened(text) == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]
    assert form(text) == f"CSV, from line {line}"


@pytest.mark.parametrize(
    "text",
    [
        "Dear all\n\nthis, that\nmore, here\nand, there\n",
        "# one\nx = f(a, b)\ny = g(c)\n",
        "Title\n\n1\n2\n3\n",
        "a\nb\nc\nd\ne\n\nid,name\n1,a\n2,b\n",
    ],
)
def test_other_texts_after_a_title_are_not_tables(text: str):
    assert opened(text) is None


def test_expressions_are_compiled_when_they_are_first_used():
    """A server would start a twentieth later."""
    modules = [import_module(f"{texts.__name__}.{module.name}") for module in iter_modules(texts.__path__)]
    assert not [module for module in modules if any(isinstance(value, re.Pattern) for value in vars(module).values())]
    assert csv_tables in modules
