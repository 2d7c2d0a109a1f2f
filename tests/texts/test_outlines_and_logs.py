"""Outlines name the parts of a text with their lines; logs are told by time, level and message. No text makes them slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.previews import Subject, render
from coatcheck.explorer.texts.log_summaries import read_log, write_log
from coatcheck.explorer.texts.outlines import KINDS, outline, write_outline
from coatcheck.explorer.texts.summaries import summarise
from coatcheck.explorer.texts.text_formats import recognise

MARKDOWN = "# Title\n\ntext\n\n## Part *one* ##\n\n```sh\n# no heading\n```\n\n### Deep\n\ntext\n## Two\n"
HTML = (
    "<!DOCTYPE html>\n<html><body>\n<h1 class='x'>All &amp; more</h1>\n<p>text</p>\n<h2><a href='#'>Part\none</a></h2>\n"
    "</body></html>"
)
PYTHON = '"""Module."""\n\nimport os\n\n\nclass A(Base):\n    x = 1\n\n    async def run(self, a: int) -> None:\n        pass\n\n\ndef f():\n    return 1\n'
GO = "package a\n\nimport (\n)\n\nfunc F(x int) int {\n}\n\ntype T struct {\n}\n"
JAVA = "package a;\n\nimport b;\n\npublic class A {\n    private static int go(int x) {\n    }\n}\n"
DIFF = (
    "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n-a\n+b\n+c\n"
    "diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +0,0 @@\n-a\n"
)
SNAPSHOT = (
    '- generic [ref=e1]:\n  - heading "Orders" [level=1] [ref=e2]\n  - text: none\n'
    '  - button "Save" [disabled] [ref=e3]\n  - cell "1" [ref=e4]\n  - link "Home" [ref=e5]:\n'
)


@pytest.mark.parametrize(
    ("text", "form", "entries"),
    [
        (MARKDOWN, "Markdown", ["0| # Title", "4|   ## Part *one*", "10|     ### Deep", "13|   ## Two"]),
        (HTML, "HTML", ["2| h1 All & more", "4|   h2 Part one"]),
        (PYTHON, "Python source", ["5| class A(Base)", "8|   async def run(self, a: int) -> None", "12| def f()"]),
        (GO, "source code", ["5| func F(x int) int", "8| type T struct"]),
        (JAVA, "source code", ["4| public class A", "5|     private static int go(int x)"]),
        (DIFF, "a diff", ["0| x.py +2 -1", "7| y +0 -1"]),
        (
            SNAPSHOT,
            "an accessibility snapshot",
            [
                '1| heading "Orders" [level=1] [ref=e2]',
                '3| button "Save" [disabled] [ref=e3]',
                '5|   link "Home" [ref=e5]',
            ],
        ),
    ],
)
def test_a_text_is_recognised_and_its_parts_are_listed_by_line(text: str, form: str, entries: list[str]):
    assert recognise(text) == form
    assert write_outline(outline(text, form), 900).split("\n") == entries


def test_with_little_room_the_deepest_parts_go_first_and_are_counted():
    text = "".join(f"# Part {number}\n## One\n## Two\n" for number in range(9))
    written = write_outline(outline(text, "Markdown"), 130)
    assert written.split("\n")[0] == "0| # Part 0"
    assert "##" not in written
    assert written.endswith("… 18 deeper")
    assert write_outline(outline(text, "Markdown"), 60).endswith(" more")


def test_an_outline_stands_in_place_of_lines_and_a_diff_counts_its_files():
    assert summarise(DIFF, "a diff", 900).text.split("\n")[:2] == ["2 files:", "0| x.py +2 -1"]
    text = MARKDOWN * 300
    shown = render(text, Subject("@obj_1", len(text)), 4000, in_sandbox=True).text
    assert " more\nNext: object_store_get(" in shown


def test_the_part_to_read_is_one_of_the_outline():
    text = "".join(f"# Part {number}\n\ntext\n\n" for number in range(9))
    assert summarise(text, "Markdown", 900).section == (16, 20)
    assert summarise("# A\n" + "long " * 9000 + "\n# B\n", "Markdown", 900).section is None


def test_comments_are_no_headings():
    assert recognise("# one\n# two\n# three\nx = 1\n") == ""


LOG = (
    "2026-03-02 08:00:00,123 INFO [a] started in 12 ms\n" * 30
    + "2026-03-02 08:01:00,123 ERROR [b] no disk 7\nTraceback:\n  File x\n"
    + "2026-03-02 08:02:00,123 ERROR [c] no disk 9\n"
    + "2026-03-02 09:00:00,123 WARN [c] slow\n"
)


def test_a_log_is_told_by_its_time_its_levels_and_its_messages():
    assert recognise(LOG) == "log lines"
    assert write_log(read_log(LOG), 900).split("\n") == [
        "From 2026-03-02 08:00:00 to 2026-03-02 09:00:00. 2 ERROR, 1 WARNING, 30 INFO.",
        "2 x ERROR [#] no disk # (first: line 30)",
        "1 x WARN [#] slow (first: line 34)",
        "30 x INFO [#] started in # ms (first: line 0)",
    ]
    assert summarise(LOG, "log lines", 900).pattern == r"\bERROR\b"


def test_a_long_log_says_what_was_counted_and_ends_with_its_last_line():
    log = read_log("2026-03-02 08:00:00 INFO a\n" * 90_000 + "2026-03-03 08:00:00 INFO b\n")
    assert write_log(log, 900).startswith(
        "From 2026-03-02 08:00:00 to 2026-03-03 08:00:00. in its first 2,000,000 characters: 74,07"
    )


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(alphabet='#`<>h12/adefclsdiffgitbutonref=":[](){} \n-+'))
def test_no_text_makes_an_outline_fail(kind: str, text: str):
    for entry in outline(text, kind):
        assert 0 <= entry.line <= text.count("\n")
        assert "\n" not in entry.name


@given(text=st.text(alphabet="2026-01: TERRORINFO[]'\"\n"))
def test_no_text_makes_a_log_fail(text: str):
    assert len(write_log(read_log(text), 300)) <= 300


GIT_LOG = "Commit history:\n" + "".join(
    f"Commit: {number:040x}\nAuthor: A\nDate: 2026-01-01\nMessage: Change {number}\n\n\n" for number in range(9)
)
PLAIN_GIT_LOG = "".join(
    f"commit {number:040x}\nAuthor: A <a@example.org>\nDate:   Mon\n\n    Change {number}\n\n    More.\n\n"
    for number in range(9)
)


@pytest.mark.parametrize(("text", "line"), [(GIT_LOG, 7), (PLAIN_GIT_LOG, 8)])
def test_a_git_log_is_told_by_its_commits(text: str, line: int):
    assert recognise(text) == "a git log"
    told = summarise(text, "a git log", 900).text.split("\n")
    assert told[0] == "9 commits:"
    assert told[2] == f"{line}| 0000000 Change 1"


def test_a_level_that_does_not_fit_is_begun_where_there_is_room():
    text = "# One\n" + "".join(f"## Part {number}\n" for number in range(99)) + "# Two\n"
    written = write_outline(outline(text, "Markdown"), 300).split("\n")
    assert written[:3] == ["0| # One", "1|   ## Part 0", "2|   ## Part 1"]
    assert written[-2] == "100| # Two"
    assert written[-1].endswith(" more")
