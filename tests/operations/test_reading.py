"""show, slice, resolve, and parsing of texts."""

import re

import pytest

from coatcheck.codec import encode
from coatcheck.errors import ArgumentRejected, PathNotFound, ReferenceSyntaxError
from coatcheck.explorer.operations import OPERATIONS, Answer, Document
from coatcheck.explorer.operations.document import OnlyInSandbox
from coatcheck.explorer.texts.yaml_text import looks_like_yaml, open_yaml_text
from coatcheck.references import parse_path, walk

ROWS = {"rows": [{"id": number, "name": f"user {number}"} for number in range(500)]}


def test_show_returns_the_whole_value_if_it_fits_or_a_preview(do):
    small, large = do("show", ROWS, path="rows[3]"), do("show", ROWS, path="rows", limit=500)

    assert small.facts["whole"] is True
    assert '"user 3"' in small.text
    assert large.facts["whole"] is False
    assert "@obj_1.rows" in large.text
    assert "500" in large.text
    assert len(large.text) <= 500


def test_show_can_return_only_the_preview(do):
    assert do("show", ROWS, path="rows[3]", whole=False).facts["whole"] is False


def test_a_slice_of_a_list_shows_items_with_their_position(do):
    answer = do("slice", ROWS, path="rows", start=10, end=12)

    assert answer.text == (
        "Items 10 to 11 of 500 (counted from 0) of @obj_1.rows:\n"
        '[10] {"id": 10, "name": "user 10"}\n[11] {"id": 11, "name": "user 11"}'
    )


def test_negative_positions_count_from_the_end(do):
    assert "[499]" in do("slice", ROWS, path="rows", start=-1).text
    assert "0 to 1 of 3" in do("slice", "a\nb\nc", end=-1).text


@pytest.mark.parametrize(
    "value", [ROWS["rows"], "\n".join(f"line {n} {'x' * (n % 50)}" for n in range(500)), "z" * 5000]
)
def test_following_the_suggestion_of_each_page_reads_everything(do, value):
    start, pages = 0, []
    for _ in range(200):
        answer = do("slice", value, start=start, limit=700)
        assert len(answer.text) <= 700
        pages.append(answer)
        following = re.search(r"continue with start=(\d+)\.$", answer.text)
        if not following:
            break
        assert int(following[1]) > start
        start = int(following[1])

    assert sum(page.facts["shown"] for page in pages) == len(value.splitlines() if "\n" in value else value)
    whole = "\n".join(page.text for page in pages)
    if isinstance(value, list):
        assert all(f'"user {number}"' in whole for number in range(500))


def test_a_text_of_several_lines_is_sliced_by_lines_and_of_one_by_characters(do):
    assert do("slice", "a\nb\nc\n", start=1, end=2).text == "Line 1 of 3 (counted from 0) of @obj_1:\n1: b"
    assert do("slice", "abcdef", start=1, end=3).text == "Characters 1 to 2 of 6 (counted from 0) of @obj_1:\nbc"


def test_an_object_is_sliced_by_keys(do):
    answer = do("slice", {"a": 1, "b c": [2], "d": 3}, start=1)

    assert answer.text == 'Keys 1 to 2 of 3 (counted from 0) of @obj_1:\n["b c"] [2]\n.d 3'


def test_a_huge_item_is_cut_with_a_path_into_it_and_the_next_start(do):
    value = ["small", {"text": "x" * 50_000}, "s" + "y" * 50_000 + "e", "last"]
    first = do("slice", value, limit=600)
    assert "continue with start=1" in first.text
    second = do("slice", value, start=1, limit=600)
    assert 'path="[1]"' in second.text
    assert "start=2" in second.text
    third = do("slice", value, start=2, limit=600)
    assert "50,002 characters in all" in third.text
    assert max(map(len, (first.text, second.text, third.text))) <= 600


def test_a_huge_line_is_cut_with_a_path_to_it(do):
    text = "first\n" + "x" * 5000 + "\nlast"
    answer = do("slice", text, start=1, limit=600)
    path = re.search(r'path="([^"]+)"', answer.text)[1]

    assert walk(text, parse_path(path)) == "x" * 5000
    assert "the next line: start=2" in answer.text


def test_an_empty_range_reports_the_number_of_items(do):
    assert do("slice", [1, 2], start=5).text == "No items in that range: @obj_1 has 2, counted from 0."
    assert do("slice", "", start=0).text.startswith("No characters")


def test_a_single_value_has_no_positions(do):
    with pytest.raises(ArgumentRejected, match="single value"):
        do("slice", {"a": 1}, path="a")


def test_a_path_continues_inside_json_and_yaml_texts(do, new_value):
    assert new_value(do("resolve", {"body": '{"a": [1, 2]}'}, path="body.a[1]")) == 2
    assert new_value(do("resolve", "a:\n  - b: x\n  - b: y\n", path="a[1].b")) == "y"


def test_resolve_without_a_path_returns_the_value(do, new_value):
    answer = do("resolve", ROWS)

    assert new_value(answer) == ROWS
    assert answer.metadata["type"] == "object"


def test_a_missing_and_a_malformed_path_are_errors_with_the_position(do):
    with pytest.raises(PathNotFound, match="Did you mean"):
        do("resolve", {"name": 1}, path="nam")
    with pytest.raises(ReferenceSyntaxError):
        do("resolve", {}, path="a[")


@pytest.mark.parametrize(
    "text",
    [
        "Dear all,\nplease note: the meeting\nmoves.\n",
        "Note: one line",
        "- a list of one",
        "2024-01-01 12:00 INFO: started\n2024-01-01 12:01 INFO: ended\n",
        "# Title\n\nSome words.\n",
        "def f():\n    return 1\n",
        "",
        "a\tb\n1\t2\n",
    ],
)
def test_prose_logs_code_and_tables_are_not_parsed_as_yaml(text):
    assert not looks_like_yaml(text)
    assert open_yaml_text(text) is None


def test_yaml_is_read_as_its_authors_intend():
    text = "country: no\ntime: 12:30\nday: 2024-01-31\nmode: 0644\non: true\nn: 1.5\nempty:\nlist:\n- a\n- 1\n"

    assert open_yaml_text(text) == {
        "country": "no",
        "time": "12:30",
        "day": "2024-01-31",
        "mode": "0644",
        "on": True,
        "n": 1.5,
        "empty": None,
        "list": ["a", 1],
    }


def test_several_yaml_documents_become_a_list():
    assert open_yaml_text("---\na: 1\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_yaml_cannot_create_python_objects():
    assert open_yaml_text("a: !!python/object/apply:os.system ['true']\nb: 2\n") is None


def test_yaml_that_contains_itself_is_refused():
    with pytest.raises(ArgumentRejected, match="contains itself"):
        open_yaml_text("a: &x\n  b: *x\nc: 1\n")


def test_yaml_is_not_parsed_outside_the_sandbox():
    encoded = encode("a:\n  b: 1\nc: 2\n")
    with pytest.raises(OnlyInSandbox):
        OPERATIONS["resolve"](Document(encoded.metadata, encoded.payload), {"reference": "@obj_1", "path": "a.b"})


def test_an_answer_is_sent_unchanged():
    answer = Answer.of_value("te\ud800xt ☃", {"a": 1}, {"n": 1})
    header, parts = answer.to_wire()

    assert Answer.from_wire(header, b"".join(parts)) == answer
