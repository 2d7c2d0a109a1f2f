import base64
import json
import re

import pytest

from coatcheck.explorer.previews import Subject, render
from coatcheck.explorer.texts import Opened, open_text
from coatcheck.explorer.tool_names import listed_as, names_of_tools

LOG = "".join(
    f"commit {number:040x}\nAuthor: A {number % 5} <a@example.org>\n\n    Fix {number}\n\n" for number in range(2000)
)


def preview(value: str, limit: int = 4000, reference: str = "@obj_2", **given: object) -> str:
    return render(value, Subject(reference, len(value)), limit, **given).text


def test_a_text_shows_numbered_first_and_last_lines_and_states_the_omitted_range() -> None:
    text = preview("".join(f"line {number}\n" for number in range(1000)), 700).splitlines()
    first = [line for line in text if line[:1].isdigit()]
    head = next(place for place, line in enumerate(first) if int(line.split("|")[0]) != place)
    start = int(first[head].split("|")[0])
    assert text[0] == (
        "@obj_2: text of 1,000 lines, 8,890 characters (~4,062 tokens). .lines[0:9] counts lines, [0:9] characters"
    )
    assert all(line == f"{line.split('|')[0]}| line {line.split('|')[0]}" for line in first)
    assert first[-1] == "999| line 999"
    left_out = sum(len(f"line {number}\n") for number in range(head, start))
    assert f"Left out: lines {head} to {start - 1}, counted from 0 ({left_out:,} characters)." in text
    assert f'Next: object_store_slice(object_id="@obj_2", start={head}, end={head + 40})' in text


def test_a_git_log_is_recognised() -> None:
    text = preview(LOG)
    assert "Looks like a git log; .lines[0:9] counts lines, [0:9] characters" in text.splitlines()[0]
    assert "0| commit 0000" in text
    assert len(text) < 2000


@pytest.mark.parametrize(
    ("start", "name"),
    [
        ("# Title\n\nSome text.\n", "Markdown"),
        ("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "a diff"),
        ("2024-01-01 10:00:00 INFO started\n2024-01-01 10:00:01 ERROR no\n", "log lines"),
        ("[2024-01-01T10:00:00Z] x\n[2024-01-01T10:00:00Z] y]\n", "log lines"),
        ("Commit: 'abc1234'\nAuthor: x\n", "a git log"),
        ("<?xml version='1.0'?>\n<a>\n</a>", "XML"),
        ("<!DOCTYPE html>\n<html></html>", "HTML"),
    ],
)
def test_formats_are_recognised_by_their_start(start: str, name: str) -> None:
    assert f"Looks like {name}" in preview(start).splitlines()[0]


@pytest.mark.parametrize(
    "plain",
    [
        "Dear all,\nthis is a letter,\nwith some commas.\n",
        "one line",
        "Note: hello there.\nThis is prose\nand more\n",
        "1\n2\n3\n4\n",
        "",
    ],
)
def test_plain_text_is_not_recognised_as_a_format(plain: str) -> None:
    assert "Looks like" not in preview(plain)


def test_a_line_too_long_is_cut_with_its_number_of_characters() -> None:
    text = preview("short\n" * 5 + "y" * 10_000 + "\n" + "end\n" * 5)
    assert f"5| {'y' * 200}…(+9,800 characters)" in text
    assert "Left out: 9,800 characters in 1 long line." in text


def test_a_text_of_one_line_is_shown_by_characters_with_paths() -> None:
    text = preview("ab " * 40_000, reference="@obj_2.body")
    shown = [line.split(": ")[0] for line in text.splitlines() if line.startswith(".body[")]
    head, tail = (part.removeprefix(".body[").removesuffix("]").split(":") for part in shown)
    assert (head[0], tail[1]) == ("0", "120000")
    assert f"Left out: characters {int(head[1]):,} to {int(tail[0]):,} of 120,000." in text
    assert f'object_store_get(object_id="@obj_2", path=".body[{head[1]}:{int(head[1]) + 2000}]")' in text


def test_lines_of_a_very_long_text_are_estimated_and_the_preview_says_so() -> None:
    text = preview("a b c\n" * 5_000_000)
    assert text.startswith("@obj_2: text of about 5,00")
    assert "(estimated)" in text.splitlines()[0]
    assert "\n0| a b c\n" in text
    assert "\n-1| a b c\n" in text
    assert " of 30,000,000." in text


def test_very_long_lines_in_a_very_long_text_are_bounded() -> None:
    text = preview("x\n" * 100 + "y" * 4_000_000 + "\n" + "z" * 1_000_000 + "END", 20_000)
    assert "zEND\n" in text
    assert len(text) < 10_000


def test_a_short_text_is_shown_whole() -> None:
    assert "[0:10]: short text\nNothing is left out." in preview("short text")


def test_control_characters_become_control_pictures() -> None:
    text = preview("\x1b[31mred\x00\x7f\u202e\ud800\r\nnext\n" * 3)
    assert "0| ␛[31mred␀␡��\n" in text


def test_json_text_is_previewed_by_its_value() -> None:
    written = json.dumps([{"id": number} for number in range(100)])
    text = preview(written)
    assert f"array of 100 items, {len(written):,} characters" in text
    assert "Text in JSON; paths and filters work on it" in text
    assert 'object_store_slice(object_id="@obj_2", start=1, end=21)' in text


def test_long_json_text_is_recognised_and_its_structure_shown_if_it_was_parsed() -> None:
    value = [{"id": number} for number in range(10_000)]
    written = json.dumps(value)
    assert "Looks like JSON" in preview(written)
    assert "array of 10,000 items" in preview(written, opened=Opened(value, "JSON"))


def test_text_that_only_begins_like_json_is_text() -> None:
    assert "Looks like JSON\n" in preview('{"a": 1, oops}')
    assert "Shape" not in preview('{"a": 1, oops}')


def test_a_long_text_is_scanned_only_in_the_sandbox() -> None:
    text = "".join(f"# Part {number}\n\nSome text.\n\n" for number in range(9000))
    assert "# Part 7" not in preview(text)
    assert "# Part 7" in preview(text, in_sandbox=True)
    assert "# Part 7" in preview(text[:9000])


def test_fewer_characters_of_numeric_texts_are_shown():
    numbers = "".join(f"10.{n % 7}.{n % 250}.{n % 91}:{n * 7919 % 65000} {n * 104729 % 99991}\n" for n in range(600))
    words = "".join(f"the quick brown fox jumps over a lazy dog again {'x' * (n % 3)}\n" for n in range(600))
    shown = [render(text, Subject("@obj_1", len(text)), 4000).text for text in (numbers, words)]
    assert len(shown[0]) < 0.8 * len(shown[1])


def test_without_the_tool_for_slices_the_next_lines_are_a_path():
    text = "".join(f"line {n} of a text\n" for n in range(900))
    with listed_as(names_of_tools(offered=("get",))):
        shown = render(text, Subject("@obj_1", len(text)), 4000).text
    assert re.search(r'\nNext: object_store_get\(object_id="@obj_1", path="\.lines\[12:52\]"\)\n', shown)


@pytest.mark.parametrize("start", ["", "data:image/png;base64,"])
def test_base64_is_named_and_not_suggested_for_reading(start: str):
    encoded = start + base64.b64encode(bytes(range(256)) * 40).decode()
    shown = render(encoded, Subject("@obj_1", len(encoded), is_shared=True), 4000).text
    assert "Looks like base64" in shown
    assert "object_store_" not in shown
    assert shown.endswith(f"| {'cut -d, -f2 | ' if start else ''}base64 -d > FILE")
    assert len(shown) < 500
    assert "base64" not in render("0123456789abcdef" * 600, Subject("@obj_1", 9600), 4000).text


TABLE = "| id | name |\n|---|---|\n" + "".join(f"| {n} | n{n} |\n" for n in range(300))


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        (
            f"# Notes\n\nWords.\n\n{TABLE}\n## Limits\n\nAt most 9.\n",
            "0| # Notes\n2| Words.\n307| ## Limits\n309| At most 9.",
        ),
        (
            TABLE + "\n" + "".join(f"word {n}\n" for n in range(9)) + "## End\n",
            "303| word 0\n…\n312| ## End\n… 2 more lines",
        ),
        ("Found:\n```json\n" + json.dumps([{"a": n} for n in range(300)]) + "\n```\nBye.\n", "0| Found:\n4| Bye."),
        ('{"a": 1}\n' * 30 + "Traceback\n" + '{"a": 1}\n' * 30, "30| Traceback"),
        ("Prices of May\n\n" + "n,price\n" + "1,2\n" * 300, "0| Prices of May"),
        (f"# May\n\n{TABLE}\n# June\n\nAt most 9.\n\n{TABLE}\nBye.\n", "307| At most 9.\n612| Bye."),
        ("\ufeff# a\n# b\nn,price\n" + "1,2\n" * 300, "0| # a\n1| # b"),
        (TABLE, ""),
    ],
    ids=["page", "long", "prose", "JSON Lines", "CSV", "two tables", "mark", "table alone"],
)
def test_a_preview_of_data_in_a_text_shows_the_lines_outside_it(text: str, outside: str):
    opened = open_text(text, in_sandbox=False)
    lines = preview(text, opened=opened).split("\n")
    start = [n for n, line in enumerate(lines, 1) if line == "Outside the data, by number in .lines:"]
    first, _, last = outside.partition("\n…\n")
    shown = "\n".join(lines[start[0] : start[0] + 9]) if start else "\n"
    assert shown.startswith(f"{first}\n")
    assert last in shown
    small = [preview(text, limit, opened=opened) for limit in range(250, 700, 50)]
    assert {"utside the data" in shown for shown in small if "[0]: " in shown} == {bool(outside)}
