"""Outlines list the sections of a text with their lines; logs are summarised by time, level and message. Both are fast for any text."""

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
JS = (
    'const fs = require("fs");\nconst path = require("path");\nconst make = (a, b) => {\n};\nres.send = function send(body) {\n};\n'
    "class Cache {\n\tconstructor() {\n\t}\n\tasync get(key) {\n\t\tmodule.load(\n\t\t\tmodule,\n\t\t);\n\t\tif (a) {\n\t\t}\n\t}\n}\n"
)
TS = (
    'declare module "node:x" {\n    interface Options<T> {\n        record: boolean;\n    }\n    type Name = string;\n}\n'
    "export enum Kind {\n}\n"
)
C = (
    "#include <stdio.h>\n#include <a.h>\n\nstruct chunk {\n    struct chunk *next;\n};\n\nstatic int\nread_row(png_ptr p,\n    int n)\n"
    "{\n    struct chunk *c;\n    if (n)\n        return f(n);\n}\n\nint main(void) {\n}\nint declared(int a);\n"
)
SHELL = "#!/bin/sh\nset -e\nlog() {\n  echo $1\n}\n\nfunction fail {\n  exit 1\n}\n"
SCRIPT = "#!/bin/sh\n# Starts\n\n# Stops\n\nstop_all () {\n  run\n}\n\nstart()\n{\n  run\n}\n"
HEADER = "#ifndef A_H\n#define A_H\n#include <b.h>\n\nstruct a {\n};\nunion b {\n};\n#endif\n"
PATHS = (
    "".join(f"src/app/f{n}.py\n" for n in range(9)) + "".join(f"src/lib/deep/g{n}.py\n" for n in range(5)) + "LICENSE\n"
)
WINDOWS_PATHS = "".join(f"C:\\My data\\f{n}.txt\n" for n in range(13))
TREE = (
    ".\n├── src\n│\u00a0\u00a0 ├── app\n" + "│   │   ├── f.py\n" * 8 + "│   │   └── g.py\n"
    "│   ├── a\n│   ├── b\n│   └── c\n└── LICENSE\n\n2 directories, 12 files\n"
)
ASCII_TREE = "x@1\n+-- a@1\n" + "| +-- b@1\n" * 7 + "| `-- c@1\n`-- d@1\n"
PLAN = (
    "Plan:\n\n  # aws_a.x[0] will be created\n  + resource {\n    }\n  # aws_a.x[1] must be replaced\n-/+ resource {\n    }\n"
    "  # b.y will be destroyed\n  - resource {\n    }\nPlan: 2 to add, 2 to destroy.\n"
)
PERL = "package A::B;\nuse strict;\nuse warnings;\nsub first {\n  my $x = shift;\n}\nsub _second {\n}\n"
SQL = "-- views\nCREATE VIEW a AS\n  SELECT 1;\n\nGRANT SELECT ON a TO b;\nALTER TABLE t (x int);\nINSERT INTO t VALUES (1);\n"
RST = "ctest(1)\n********\n\nSynopsis\n========\n\ntext\n\nOptions\n=======\n\nMore\n----\n\n| a |\n-----\n"
ASCIIDOC = "= Manual\n:toc:\n\n== One\n\n----\ncode\n=== Deep\n"
LATEX = "\\documentclass{a}\n\\begin{document}\n% ==\n\\section{One}\n\n\\subsection*{\\emph{Two}}\\label{two}\n\\end{document}\n"
HCL = 'resource "a" "x" {\n  b = 1\n}\n\nresource "a" "y" {\n  b = 1\n}\n\nvariable "z" {\n  b = 1\n}\n'
PROTO = (
    'syntax = "proto3";\npackage shop;\nimport "a.proto";\nimport "b.proto";\nservice Carts {\n  rpc Add(AddRequest) returns (Cart) {}\n}\n\n'
    "message Cart {\n  string id = 1;\n}\n"
)
LICENSED = (
    "..\n"
    + "   Some words of a license that stands before the text itself.\n" * 60
    + "\nOne\n===\nTwo\n===\nThree\n=====\n"
)
MANUAL = (
    "NAME\n       git-x - do x\n\nOPTIONS\n       --follow\n           Go on\n           beyond.\n\n       -S<string>\n           Look.\n\n"
    "NOTES\n       None\n       at all.\n"
)
DEVTOOLS = '## Latest page snapshot\nuid=1_0 RootWebArea "Inbox"\n  uid=1_1 button "Compose"\n  uid=1_2 StaticText "x"\n  uid=1_3 link "Sent"\n'
STATS = "".join(
    f"commit {n:040x}\nAuthor: A <a@b>\nDate:   Mon\n\n    Change {n}\n\n a.py | {n} +\n {n} file{'s' * (n > 1)} changed, {n} insertions(+)\n\n"
    for n in range(1, 4)
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
            JS,
            "source code",
            ["2| const make", "4| res.send", "6| class Cache", "7|     constructor()", "9|     async get(key)"],
        ),
        (
            TS,
            "source code",
            ['0| declare module "node:x"', "1|     interface Options<T>", "4|     type Name", "6| export enum Kind"],
        ),
        (C, "source code", ["3| struct chunk", "8| read_row(png_ptr p,", "16| int main(void)"]),
        (SHELL, "source code", ["2| log()", "6| function fail"]),
        (SCRIPT, "source code", ["5| stop_all ()", "9| start()"]),
        (HEADER, "source code", ["4| struct a", "6| union b"]),
        (PATHS, "a list of paths", ["0| src/ (14 files)", "0|   app/ (9 files)", "9|   lib/deep/ (5 files)"]),
        (WINDOWS_PATHS, "a list of paths", ["0| C:/My data/ (13 files)"]),
        (
            f"{PATHS}doc/a.md\n",
            "a list of paths",
            ["0| src/ (14 files)", "0|   app/ (9 files)", "9|   lib/deep/ (5 files)", "15| doc/ (1 file)"],
        ),
        (TREE, "a tree", ["1| src (13 lines)", "2|   app (9 lines)"]),
        (ASCII_TREE, "a tree", ["1| a@1 (8 lines)"]),
        (
            PLAN,
            "a plan of Terraform",
            [
                "2|   aws_a.x[0] will be created",
                "5|   aws_a.x[1] must be replaced",
                "8|   b.y will be destroyed",
                "11| Plan: 2 to add, 2 to destroy.",
            ],
        ),
        (PERL, "source code", ["3| sub first", "6| sub _second"]),
        (SQL, "SQL", ["1| CREATE VIEW a", "5| ALTER TABLE t"]),
        (ASCIIDOC, "AsciiDoc", ["0| = Manual", "3|   == One", "7|     === Deep"]),
        (LATEX, "LaTeX", ["3| section One", "5|   subsection Two"]),
        (HCL, "indented sections", ['0| resource "a" "x" {', '4| resource "a" "y" {', '8| variable "z" {']),
        (PROTO, "source code", ["4| service Carts", "5|   rpc Add(AddRequest) returns (Cart)", "8| message Cart"]),
        (LICENSED, "headings over rules", ["62| One", "64| Two", "66| Three"]),
        (RST, "headings over rules", ["0| ctest(1)", "3|   Synopsis", "8|   Options", "11|     More"]),
        (
            MANUAL,
            "indented sections",
            ["0| NAME", "3| OPTIONS", "4|   --follow", "8|   -S<string>", "11| NOTES"],
        ),
        (
            DEVTOOLS,
            "an accessibility snapshot",
            ['2| uid=1_1 button "Compose"', '4|   uid=1_3 link "Sent"'],
        ),
        (
            STATS,
            "a git log",
            [
                "0| 0000000 Change 1 (1 file +1 -0)",
                "9| 0000000 Change 2 (2 files +2 -0)",
                "18| 0000000 Change 3 (3 files +3 -0)",
            ],
        ),
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


def test_with_a_small_limit_the_deepest_entries_are_omitted_first_and_counted():
    text = "".join(f"# Part {number}\n## One {number}\n## Two {number}\n" for number in range(9))
    written = write_outline(outline(text, "Markdown"), 130)
    assert written.split("\n")[0] == "0| # Part 0"
    assert "##" not in written
    assert written.endswith("… 18 deeper")
    assert write_outline(outline(text, "Markdown"), 60).endswith(" more")


def test_an_outline_replaces_lines_and_a_diff_counts_its_files():
    assert summarise(DIFF, "a diff", 900).text.split("\n")[:2] == ["2 files:", "0| x.py +2 -1"]
    text = "".join(MARKDOWN.replace("T", f"T{number}") for number in range(300))
    shown = render(text, Subject("@obj_1", len(text)), 4000, in_sandbox=True).text
    assert " more\nNext: object_store_get(" in shown


def test_the_suggested_section_is_in_the_outline():
    text = "".join(f"# Part {number}\n\ntext\n\n" for number in range(9))
    assert summarise(text, "Markdown", 900).section == (16, 20)
    assert summarise("# A\n" + "long " * 9000 + "\n# B\n", "Markdown", 900).section is None


def test_comments_are_not_headings():
    assert recognise("# one\n# two\n# three\nx = 1\n") == ""
    assert recognise("# m h dom mon dow command\nSHELL=/bin/sh\n5 4 * * * /bin/x\n") == ""


PROGRAM = "import os\nfrom sys import argv\n\n\nclass A:\n    pass\n\n\ndef main():\n    pass\n"


@pytest.mark.parametrize("before", ["", "---\ntitle: A\n---\n\n", "A line.\n" * 12])
@pytest.mark.parametrize("fence", ["", f"```python\n# a comment\n{PROGRAM}```\n", f"~~~\n{PROGRAM}~~~\n"])
def test_a_document_with_headings_is_markdown_whatever_precedes_them_and_whatever_its_examples_are(before, fence):
    assert recognise(f"{before}# One\n\nText.\n{fence}\n## Two\n\nText.\n") == "Markdown"


def test_a_program_with_headed_sections_is_source_code():
    assert recognise(f"# Imports\n\n{PROGRAM}\n# The end\n\nmain()\n") == "Python source"


def test_entries_of_the_same_name_are_written_once_with_their_number():
    page = "- main [ref=e0]:\n" + "".join(
        f'  - link "Cup {n}" [ref=e{3 * n + 1}]\n  - text: 9.00\n  - button "Buy" [ref=e{3 * n + 2}]\n'
        for n in range(9)
    )
    summary = summarise(page, recognise(page), 900)
    assert summary.text.split("\n")[:3] == [
        '1|   link "Cup 0" [ref=e1]',
        '3| button "Buy" [ref=e2] (9 times)',
        '4|   link "Cup 1" [ref=e4]',
    ]
    assert summary.section == (1, 16)
    assert summarise("server {\n  a;\n}\n" * 9, "indented sections", 900).text == ""


LOG = (
    "2026-03-02 08:00:00,123 INFO [a] started in 12 ms\n" * 30
    + "2026-03-02 08:01:00,123 ERROR [b] no disk 7\nTraceback:\n  File x\n"
    + "2026-03-02 08:02:00,123 ERROR [c] no disk 9\n"
    + "2026-03-02 09:00:00,123 WARN [c] slow\n"
)


def test_a_log_is_described_by_its_time_its_levels_and_its_messages():
    assert recognise(LOG) == "log lines"
    assert write_log(read_log(LOG), 900).split("\n") == [
        "From 2026-03-02 08:00:00 to 2026-03-02 09:00:00. 2 ERROR, 1 WARNING, 30 INFO.",
        "2 x ERROR [#] no disk # (first: line 30)",
        "1 x WARN [c] slow (first: line 34)",
        "30 x INFO [#] started in # ms (first: line 0)",
    ]
    assert summarise(LOG, "log lines", 900).pattern == r"\bERROR\b"


def test_the_summary_of_a_long_log_states_the_counted_range_and_ends_with_the_last_line():
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
def test_a_git_log_is_described_by_its_commits(text: str, line: int):
    assert recognise(text) == "a git log"
    summary = summarise(text, "a git log", 900).text.split("\n")
    assert summary[0] == "9 commits:"
    assert summary[2] == f"{line}| 0000000 Change 1"


def test_a_level_that_does_not_fit_is_partly_listed():
    text = "# One\n" + "".join(f"## Part {number}\n" for number in range(99)) + "# Two\n"
    written = write_outline(outline(text, "Markdown"), 300).split("\n")
    assert written[:3] == ["0| # One", "1|   ## Part 0", "2|   ## Part 1"]
    assert written[-2] == "100| # Two"
    assert written[-1].endswith(" more")


SYSLOG = (
    "".join(f"Nov  2 03:00:{n % 60:02} web-01 CRON[{n}]: (root) CMD (backup)\n" for n in range(120))
    + "Nov  2 04:00:00 web-01 kernel: [12.3] Out of memory: Killed process 12 (java)\n"
    + "".join(f"Nov  2 05:00:{n:02} web-01 sshd[{n}]: Failed password for bob from 10.0.0.{n}\n" for n in range(30))
)


def test_a_log_without_levels_is_described_by_words_such_as_failed():
    assert recognise(SYSLOG) == "log lines"
    summary = summarise(SYSLOG, "log lines", 900)
    assert summary.text.split("\n") == [
        "From Nov  2 03:00:00 to Nov  2 05:00:29.",
        "30 x sshd[#]: Failed password for bob from # (first: line 121)",
        "1 x kernel: [12.3] Out of memory: Killed process 12 (java) (first: line 120)",
        "120 x CRON[#]: (root) CMD (backup) (first: line 0)",
    ]
    assert summary.pattern == r"\b(?:out of memory|failed)\b"


def test_kinds_of_lines_that_do_not_fit_are_counted():
    text = "".join(f"2026-01-01 10:00:00 INFO {chr(97 + n)} message\n" for n in range(20))
    assert write_log(read_log(text), 900).endswith("\n… 12 more kinds of lines")


BUILD = (
    "   Compiling a v0.1\nwarning: unused variable: `x1`\n --> src/a.rs:1:5\n\nerror[E0308]: mismatched types\n --> src/a.rs:7:5\n  |\n"
    + "   |\n" * 40
    + "warning: unused variable: `x2`\nerror: could not compile `a`\n"
)
TESTED = (
    "=" * 20
    + " test session starts "
    + "=" * 20
    + "\n"
    + "".join(f"test_a.py::test_it[{n}] PASSED\n" for n in range(60))
    + "".join(f"FAILED test_a.py::test_it[{n}] - AssertionError: {n} is odd\n" for n in range(9))
    + "==== 9 failed, 60 passed in 1.2s ====\n"
)


def test_the_preview_of_the_output_of_a_build_or_tests_contains_the_failures():
    assert summarise(BUILD, recognise(BUILD), 900).text.split("\n") == [
        "2 ERROR, 2 WARNING.",
        "1 x error[E0308]: mismatched types (first: line 4)",
        "1 x error: could not compile `a` (first: line 48)",
        "2 x warning: unused variable: `x#` (first: line 1)",
    ]
    shown = render(TESTED, Subject("@obj_1", len(TESTED)), 4000, in_sandbox=True).text
    assert "\n9 FAILED.\n1 x FAILED test_a.py::test_it[0] - AssertionError: 0 is odd (first: line 61)\n" in shown
    assert "\n70| ==== 9 failed, 60 passed in 1.2s ====\n" in shown
    assert 'path=".lines[61:' in shown
    assert 'pattern="^ *FAILED"' in shown


CARGO = (
    "   Compiling demo v0.1.0\n\nrunning 90 tests\n"
    + "".join(f"test tests::case_{n} ... {'FAILED' if n == 7 else 'ok'}\n" for n in range(90))
    + "\nthread 'tests::case_7' panicked at src/lib.rs:9:5:\nleft: 1\n\nerror: test failed, to rerun pass `--lib`\n"
)
GO_TEST = (
    "".join(f"=== RUN   Test{n}\n--- PASS: Test{n} (0.00s)\n    --- PASS: Test{n}/a (0.00s)\n" for n in range(30))
    + "=== RUN   TestX\n    x_test.go:7: got 1\n--- FAIL: TestX (0.01s)\n    --- FAIL: TestX/a (0.00s)\nFAIL\n"
)
TAP = "TAP version 13\n" + "ok 1 - a\n" * 60 + "not ok 61 - adds 61\n  ---\n  failureType: 'x'\n  error: |-\n  ...\n"
NGINX = "2026/11/30 10:00:00 [warn] 12#0: slow\n" * 60 + "2026/11/30 10:00:01 [crit] 12#0: no disk\n" * 3


@pytest.mark.parametrize(
    ("text", "first", "pattern"),
    [
        (CARGO, "1 x test tests::case_7 ... FAILED (first: line 10)", r"FAILED$|\berror(?:\[\w+\])?: |panicked at "),
        (GO_TEST, "1 x --- FAIL: TestX (0.01s) (first: line 92)", r"^ *\-\-\-\ FAIL"),
        (TAP, "1 x not ok 61 - adds 61 (first: line 61)", r"^ *not\ ok|\berror(?:\[\w+\])?: |panicked at "),
        (NGINX, "3 x [#] ###: no disk (first: line 60)", r"\bcrit\b"),
    ],
)
def test_failures_come_first_and_are_searched_as_they_are_written(text: str, first: str, pattern: str):
    summary = summarise(text, recognise(text), 900)
    assert summary.text.split("\n")[1] == first
    assert summary.pattern == pattern


def test_sentences_with_errors_in_a_list_of_commits_suggest_no_search():
    text = "".join(f"* {n:07x} A note that names error: no disk, and what failed {n}\n" for n in range(90))
    assert "object_store_grep" not in render(text, Subject("@obj_1", len(text)), 4000).text


def test_a_log_may_begin_with_long_stack_traces():
    trace = "java.lang.Error: x\n" + "\tat a.b.C.d(C.java:1)\n" * 9
    assert recognise(f"2026-05-04 23:00:13.797 ERROR 1 --- [main] c.A : no\n{trace}" * 9) == "log lines"
    assert recognise("2026-05-04 23:00 Minutes\n" + "   of a meeting\n" * 30) != "log lines"


def test_prose_about_errors_is_not_a_log():
    text = "Error handling is described below.\n" + "Text of a manual that tells how errors fail.\n" * 90
    assert "object_store_grep" not in render(text, Subject("@obj_1", len(text)), 4000).text
