"""Questions about results that are texts: logs, documents, diffs, source code."""

import re

from corpus import text
from question import Question, get, grep


def _commit(message: str) -> str:
    before = text("git_log").split(message)[0]
    return re.findall("Commit: ([0-9a-f]{40})", before)[-1]


def _section(start: str, end: str) -> str:
    return text("manual_markdown").split(start)[1].split(end)[0]


QUESTIONS = [
    Question(
        "git_log",
        'Which commit says "doctor tells how long unused objects are kept"?',
        lambda: _commit("doctor tells how long unused objects are kept"),
        (grep("doctor tells how long", context=4),),
        "doctor unused",
    ),
    Question(
        "git_log",
        "How many commits were made on 24 November 2026?",
        lambda: len(re.findall("^Date: 2026-11-24", text("git_log"), re.MULTILINE)),
        (grep("^Date: 2026-11-24", limit=1),),
        "2026-11-24",
    ),
    Question(
        "git_diff",
        "How many files does the diff change?",
        lambda: text("git_diff").count("\ndiff --git "),
        (),
        "diff --git",
    ),
    Question(
        "git_diff",
        "Which line does the diff add first?",
        lambda: " ".join(re.findall(r"^\+[^+].*", text("git_diff"), re.MULTILINE)[0].split()[1:5]),
        (grep(r"^\+[^+]", limit=1),),
        "CHANGELOG",
    ),
    Question(
        "manual_markdown",
        "Which sections does the manual have about Redis (level 3, before Watching a server)?",
        lambda: re.findall("^### (.*)$", _section("## Redis", "## Watching a server"), re.MULTILINE),
        (),
        "Redis",
    ),
    Question(
        "manual_markdown",
        "What does the section At start say?",
        lambda: _section("### At start\n\n", "\n")[:60],
        (get("lines[141:146]"),),
        "start",
    ),
    Question(
        "manual_html",
        "Which line documents the method sock_sendfile?",
        lambda: next(n for n, line in enumerate(text("manual_html").split("\n")) if "sock_sendfile</strong>" in line),
        (grep("sock_sendfile</strong>"),),
        "sock_sendfile",
    ),
    Question(
        "service_log",
        "How many errors does the log have?",
        lambda: len(re.findall(r"^[\d\- :,]+ ERROR ", text("service_log"), re.MULTILINE)),
        (),
        "ERROR",
    ),
    Question(
        "service_log",
        "Which volume ran out of its quota?",
        lambda: "vol-7f3a",
        (grep("quota"),),
        "quota exceeded",
    ),
    Question(
        "service_log",
        "From when to when does the log go?",
        lambda: [text("service_log")[:19], text("service_log").strip().split("\n")[-1][:19]],
        (),
        "2026-03-02",
    ),
    Question(
        "source_python",
        "Which parameters does ArgumentParser.__init__ take first after self?",
        lambda: "prog=None",
        (grep("^class ArgumentParser", context=30),),
        "ArgumentParser __init__",
    ),
    Question(
        "source_python",
        "On which line does the method parse_known_args begin?",
        lambda: next(n for n, line in enumerate(text("source_python").split("\n")) if "def parse_known_args" in line),
        (grep("def parse_known_args"),),
        "parse_known_args",
    ),
    Question(
        "page_snapshot",
        "Which ref has the button that exports?",
        lambda: re.findall(r'button "Export as CSV" \[ref=(e\d+)\]', text("page_snapshot"))[0],
        (),
        "Export",
    ),
    Question(
        "page_snapshot",
        "What is the order with the number 1042 about?",
        lambda: re.findall(r'cell "1042".*\n.*\n.*: (.*)', text("page_snapshot"))[0],
        (grep('cell "1042"', context=2),),
        "1042",
    ),
    Question(
        "search_files",
        "Where is the file fitting.py?",
        lambda: "/data/tree/src/coatcheck/operations/fitting.py",
        (grep("fitting"),),
        "fitting",
    ),
    Question(
        "fetch_page",
        "From which index does the page go on?",
        lambda: "5000",
        (),
        "start_index",
    ),
]
