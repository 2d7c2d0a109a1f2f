"""Lines and blocks that each contain a record: requests, matches, directory entries, blocks of named values."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.texts import is_for_the_sandbox, open_text
from coatcheck.explorer.texts.summaries import summarise
from coatcheck.explorer.texts.text_formats import recognise
from tests.waiting import within

REQUESTS = (
    '10.0.0.1 - ann [03/Jun/2025:00:00:31 +0000] "GET /a?q=1 HTTP/1.1" 200 48164 "-" "curl/8" 0.050\n'
    '10.0.0.2 - - [03/Jun/2025:00:00:52 +0000] "\\x16\\x03\\x01" 400 - "-" "-" 0.001\n'
    '10.0.0.3 - - [03/Jun/2025:00:01:26 +0000] "POST /b HTTP/2.0" 502 1 "https://x/" "Mozilla \\"5\\"" 1.500\n'
)
MATCHES = "src/a.py:12:    # TODO: x\nsrc/b c.py:3:7:y\n--\nC:\\d\\e.py:44:\n"
LISTING = """/usr/share/doc:
total 12K
drwxr-xr-x 2 root root 4096 Nov 30  2022 git
-rw-r--r-- 1 root staff 731 2026-01-02 10:00 READ ME.txt

/usr/share/man:
total 0
lrwxrwxrwx 1 root root 4 Jan  1 10:00 link -> file
"""
PAGES = (
    "Title: One\nURL: https://a/1\nText: first line\n\nNote: not a field\nmore\n\n"
    "Title: Two\nURL: https://a/2\nAuthor: Bo\nText: x\n\n"
    "Title: Three\nURL: https://a/3\nText: y"
)

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20261130T090000
SUMMARY:Weekly\\, long
DESCRIPTION:One\\ntwo and
  three
ATTENDEE;CN="P: 1";ROLE=CHAIR:mailto:p1@x.org
ATTENDEE:mailto:p2@x.org
BEGIN:VALARM
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20261201T090000Z
ATTENDEE:mailto:p3@x.org
END:VEVENT
END:VCALENDAR
"""
CARDS = "".join(
    f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jane {n}\r\nitem1.TEL;TYPE=CELL:+49 {n}\r\nEND:VCARD\r\n" for n in range(3)
)


def opened(text: str) -> tuple[str, Any]:
    found = open_text(text, in_sandbox=False)
    return ("", None) if found is None else (found.format, found.value)


def test_requests_of_a_web_server_are_objects_with_a_numeric_status() -> None:
    form, rows = opened(REQUESTS)
    assert form == "lines of an access log"
    assert rows[0] == {
        "client": "10.0.0.1",
        "user": "ann",
        "time": "03/Jun/2025:00:00:31 +0000",
        "method": "GET",
        "path": "/a?q=1",
        "protocol": "HTTP/1.1",
        "request": None,
        "status": 200,
        "bytes": 48164,
        "referer": None,
        "agent": "curl/8",
        "rest": 0.05,
    }
    assert (rows[1]["request"], rows[1]["path"], rows[1]["bytes"]) == ("\\x16\\x03\\x01", None, None)
    assert rows[2]["agent"] == 'Mozilla \\"5\\"'


def test_matches_of_a_search_are_objects_by_file_and_line() -> None:
    assert opened(MATCHES) == (
        "lines of file:line:text",
        [
            {"file": "src/a.py", "line": 12, "column": None, "text": "    # TODO: x"},
            {"file": "src/b c.py", "line": 3, "column": 7, "text": "y"},
            {"file": "C:\\d\\e.py", "line": 44, "column": None, "text": ""},
        ],
    )


def test_errors_with_their_position_in_parentheses_are_matches_and_not_a_table() -> None:
    text = "".join(f"src/a{n}.ts({n + 1},{n + 2}): error TS2322: Type a is not b.\n" for n in range(5))
    form, rows = opened(text)
    assert form == "lines of file:line:text"
    assert rows[3] == {"file": "src/a3.ts", "line": 4, "column": 5, "text": "error TS2322: Type a is not b."}


def test_a_listing_of_directories_is_a_list_of_entries_with_their_sizes() -> None:
    form, rows = opened(LISTING)
    assert form == "a listing of files"
    assert [(row["directory"], row["size"], row["name"]) for row in rows] == [
        ("/usr/share/doc", 4096, "git"),
        ("/usr/share/doc", 731, "READ ME.txt"),
        ("/usr/share/man", 4, "link -> file"),
    ]
    assert rows[1]["modified"] == "2026-01-02 10:00"


def test_blocks_of_named_values_are_objects_and_other_lines_continue_the_value_above() -> None:
    form, rows = opened(PAGES)
    assert form == "blocks of named values"
    assert rows[0] == {"Title": "One", "URL": "https://a/1", "Text": "first line\n\nNote: not a field\nmore"}
    assert rows[1] == {"Title": "Two", "URL": "https://a/2", "Author": "Bo", "Text": "x"}


PSQL_LINES = "".join(f"-[ RECORD {n} ]-----\nid    | {n}\nnote  | a | b\n" for n in range(1, 4))
SQLITE_LINES = "".join(f"  id = {n}\nname = n {n}\n\n" for n in range(3))
CERTIFICATES = "".join(f"subject=CN = A{n}, C = ES\nnotAfter=Dec 31 2030 GMT\n" for n in range(3))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (PSQL_LINES, {"id": 3, "note": "a | b"}),
        (SQLITE_LINES, {"id": 2, "name": "n 2"}),
        (CERTIFICATES, {"subject": "CN = A2, C = ES", "notAfter": "Dec 31 2030 GMT"}),
    ],
)
def test_names_and_values_of_a_block_may_be_separated_by_other_signs(text: str, last: dict[str, Any]) -> None:
    form, rows = opened(text)
    assert (form, len(rows), rows[-1]) == ("blocks of named values", 3, last)


ONELINE = "7881e90 (HEAD -> main, origin/main) Fix the cart\n050d863 Add a cart\n02b4cf5 Deadbeef begins\n"
GRAPH = "*   7881e90 Merge\n|\\  \n| * 050d863 Add a cart\n|/  \n* 02b4cf5 Begin\n"
SYMBOLS = "                 U strcmp@GLIBC_2.2.5\n0000000000002a10 T inflate\n0000000000002b20 t helper(int, char)\n"
COUNTS = "      86 src/a.py\n     121 src/b c.py\n    1270 total\n"
ARCHIVE = "".join(f"-rw-r--r-- ann/staff  {n}14 2026-03-01 18:35 a/{n} b.txt\n" for n in range(1, 4))
PAIRS = 'ts=2026-11-30T10:00:00Z level=error msg="no \\"disk\\" left" took=4\n' * 2 + "ts=x level=info msg=ok\n"


@pytest.mark.parametrize(
    ("text", "form", "record"),
    [
        (
            ONELINE,
            "a list of commits",
            {"commit": "7881e90", "refs": "HEAD -> main, origin/main", "message": "Fix the cart"},
        ),
        (GRAPH, "a list of commits", {"commit": "7881e90", "message": "Merge"}),
        (SYMBOLS, "symbols", {"address": "", "type": "U", "name": "strcmp@GLIBC_2.2.5"}),
        ("[FILE] a b.md\n[DIR] src\n[FILE] c\n", "a list of marked names", {"type": "FILE", "name": "a b.md"}),
        (" M a.py\nR  b -> c\n?? d/\n", "a list of marked names", {"status": " M", "name": "a.py"}),
        (COUNTS, "counts", {"count": 86, "name": "src/a.py"}),
        (
            ARCHIVE,
            "a listing of files",
            {
                "mode": "-rw-r--r--",
                "owner": "ann",
                "group": "staff",
                "size": 114,
                "modified": "2026-03-01 18:35",
                "name": "a/1 b.txt",
            },
        ),
        (
            PAIRS,
            "lines of name=value pairs",
            {"ts": "2026-11-30T10:00:00Z", "level": "error", "msg": 'no "disk" left', "took": 4},
        ),
    ],
)
def test_lines_without_a_header_are_records(text: str, form: str, record: dict[str, Any]) -> None:
    found, rows = opened(text)
    assert (found, len(rows), rows[0]) == (form, 3, record)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{n:08x}  50 8f 92 c2  20 fc b0 49\n" for n in range(9)),
        "".join(f"47704b18 src/a.py (Ann 2026-11-29 23:21:20 +0000 {n:3}) import re\n" for n in range(9)),
    ],
)
def test_a_dump_and_annotated_lines_are_no_commits(text: str) -> None:
    assert opened(text)[0] != "a list of commits"


def test_a_truncated_line_is_omitted_and_reported() -> None:
    form, rows = opened(REQUESTS + "10.0.0.4 - - [03/Ju")
    assert (form, len(rows)) == ("lines of an access log, the last line does not fit and is left out", 3)


@pytest.mark.parametrize(
    "text",
    [
        REQUESTS + "something else\n" + REQUESTS,
        "10:20:30: started\n10:20:31: stopped\n10:20:32: started\n",
        "Note: this\nand that\n\nNote: these\nand those\n\nNote: it\nand so on\n",
        "Dear Ann:\nhello\n\nDear Ben:\nhello\n\nDear Cy:\nhello\n",
        "a.py: one\nb.py: two\nc.py: three\n",
        "Title: One\nURL: a\nTitle: Two\nURL: b\nURL: c\nTitle: Three\nURL: d\n",
    ],
)
def test_other_lines_stay_texts(text: str) -> None:
    assert opened(text) == ("", None)


@pytest.mark.parametrize(
    "text",
    [
        ('1 1 1 [1] "' + "\\" * 9_000 + "\n") * 50,
        '1 1 1 [1] "GET ' + "/" * 400_000 + "\n" * 4,
        ("a/" * 200 + ":1:" + ":" * 9_000 + "\n") * 30,
        ("-rw-r--r-- 1 a b 1" + " " * 9_000 + "\n") * 30,
        "A: b\nB: c\n" * 60_000,
        "A: b\n" + "B c: d\n" * 100_000 + "A: b\n",
    ],
    ids=range(6),
)
def test_hostile_lines_do_not_fail_or_hang(text: str) -> None:
    with within(2.0, time.process_time):
        open_text(text, in_sandbox=True)
        is_for_the_sandbox(text)


@given(text=st.text(alphabet='A: b\n/.1"[]-\\'))
def test_no_text_makes_the_parsers_of_lines_fail(text: str) -> None:
    found = open_text(text, in_sandbox=True)
    assert found is None or isinstance(found.value, (list, dict))


def test_a_very_long_log_of_requests_stays_a_text_with_a_log_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(REQUESTS)[0]
    monkeypatch.setattr("coatcheck.explorer.texts.parser_selection.MOST_OF_LINES", 100)
    assert opened(REQUESTS * 9) == ("", None)
    assert recognise(REQUESTS * 9) == "log lines"
    assert summarise(REQUESTS * 9, "log lines", 900).text.startswith(
        "From 03/Jun/2025:00:00:31 to 03/Jun/2025:00:01:26"
    )


def test_a_calendar_is_an_object_with_lists_of_its_components() -> None:
    form, value = opened(CALENDAR)
    assert form == "iCalendar"
    assert value == {
        "VERSION": "2.0",
        "VEVENT": [
            {
                "UID": "1",
                "DTSTART": "20261130T090000",
                "DTSTART;TZID": "Europe/Berlin",
                "SUMMARY": "Weekly, long",
                "DESCRIPTION": "One\ntwo and three",
                "ATTENDEE": [
                    {"CN": "P: 1", "ROLE": "CHAIR", "value": "mailto:p1@x.org"},
                    {"value": "mailto:p2@x.org"},
                ],
                "VALARM": [{"TRIGGER": "-PT15M"}],
            },
            {"UID": "2", "DTSTART": "20261201T090000Z", "ATTENDEE": [{"value": "mailto:p3@x.org"}]},
        ],
    }


def test_an_address_book_is_a_list_of_cards() -> None:
    form, value = opened(CARDS)
    assert form == "vCard"
    assert value[2] == {"VERSION": "3.0", "FN": "Jane 2", "TEL": "+49 2", "TEL;TYPE": "CELL"}


@pytest.mark.parametrize(
    "text",
    [
        CALENDAR.replace("END:VALARM\n", ""),
        CALENDAR.replace("END:VCALENDAR\n", ""),
        CALENDAR.replace("UID:2", "no property"),
        "BEGIN:VCARD\n" * 5_000,
    ],
)
def test_a_malformed_calendar_stays_a_text(text: str) -> None:
    assert opened(text) == ("", None)


def test_columns_of_blocks_are_numbers_if_all_digits_are_kept() -> None:
    text = "".join(f"Package: p{n}\nVersion: 1.{n}0\nSize: {n}\n\n" for n in range(3))
    assert opened(text)[1][1] == {"Package": "p1", "Version": "1.10", "Size": 1}


def test_a_single_block_is_an_object_if_all_its_names_are_different() -> None:
    text = "Name:    api\nNode:\t n1\nLabels:  a=b\n         c=d\nIP:\nContainers:\n  api:\n    Port: 80\nEvents:  <none>\n"
    assert opened(text) == (
        "named values",
        {
            "Name": "api",
            "Node": "n1",
            "Labels": "a=b\n         c=d",
            "IP": "",
            "Containers": "\n  api:\n    Port: 80",
            "Events": "<none>",
        },
    )
    assert opened(text + "and some words\n") == ("", None)
    assert opened(text.replace("IP:", "Name:")) == ("", None)
    assert opened("".join(f"line {n}: fine\n" for n in range(90))) == ("", None)


def test_tabs_may_stand_before_the_colons_of_blocks() -> None:
    text = "".join(f"processor\t: {n}\nmodel name\t: EPYC\ncpu MHz\t\t: 2596.1\n\n" for n in range(4))
    assert opened(text)[1][3] == {"processor": 3, "model name": "EPYC", "cpu MHz": 2596.1}


def test_a_hex_dump_is_no_yaml() -> None:
    dump = "".join(f"{n * 16:08x}: 7f45 4c46 0201 0100 0000 0000 0000 0000  .ELF\n" for n in range(9))
    assert open_text(dump, in_sandbox=True) is None


def test_metrics_are_objects_with_their_labels() -> None:
    text = (
        "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n"
        'http_requests_total{code="200",path="/a\\"b"} 1027 1395066363000\n'
        'http_requests_total{code="500",path="/c,d"} 3\n\n'
        '# TYPE up gauge\nup 1\nrpc_seconds{quantile="0.5",} 4.5e-05\n'
    )
    assert opened(text) == (
        "metrics",
        [
            {
                "metric": "http_requests_total",
                "code": 200,
                "path": '/a\\"b',
                "value": 1027,
                "timestamp": 1395066363000,
                "quantile": None,
            },
            {
                "metric": "http_requests_total",
                "code": 500,
                "path": "/c,d",
                "value": 3,
                "timestamp": None,
                "quantile": None,
            },
            {"metric": "up", "code": None, "path": None, "value": 1, "timestamp": None, "quantile": None},
            {"metric": "rpc_seconds", "code": None, "path": None, "value": 4.5e-05, "timestamp": None, "quantile": 0.5},
        ],
    )
    assert opened(text.replace('code="500"', "code=500")) == ("", None)
    assert opened("line 1\nline 2\nline 3\nline 4\n") == ("", None)
