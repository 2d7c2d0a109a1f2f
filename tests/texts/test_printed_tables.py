"""Tables as programs print them are lists of objects; similar texts stay texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.texts import is_for_the_sandbox, open_text

MARKDOWN = """Found 3 rows:

| id | name | note |
|---:|:-----|------|
| 1 | Ann | a \\| b |
| 2 | Ben |  |
| 3 | Cy | x |

(3 rows)
"""
PSQL = """ id | name  | balance
----+-------+---------
  1 | Ann   |   10.50
  2 | Ben   |   -3.00
  3 | Cleo  |
(3 rows)
"""
MYSQL = """+----+------+
| id | name |
+----+------+
|  1 | Ann  |
|  2 | Ben  |
|  3 | Cy   |
+----+------+
"""
DRAWN = """┌────┬──────┐
│ id │ name │
├────┼──────┤
│  1 │ Ann  │
│  2 │ Ben  │
│  3 │ Cy   │
└────┴──────┘
"""
PIP = """Package            Version
------------------ ---------
annotated-types    0.7.0
a name with spaces 1.2
zope               6
"""
DPKG = """Desired=Unknown/Install/Remove/Purge/Hold
||/ Name           Version      Architecture Description
+++-==============-============-============-=================================
ii  adduser        3.134        all          add and remove users and groups
rc  zutty:amd64    0.14.0       amd64        X11 terminal emulator
ii  zstd           1.5.4        amd64        fast compression
"""
PODS = """NAMESPACE     NAME        READY   RESTARTS      AGE
kube-system   coredns-1   1/1     0             40d
prod          web-7       0/1     17 (4m ago)   2d
prod          api-3       1/1                   3h
"""
PROCESSES = """USER         PID %CPU    VSZ TTY      STAT COMMAND
root           1  0.6  45600 ?        SLl  /sbin/init --system
root          22 12.5      0 ?        S    [kthreadd]
postgres    1044  0.0  99120 pts/0    Ss   postgres: checkpointer
"""


def opened(text: str) -> tuple[str, Any]:
    found = open_text(text, in_sandbox=False)
    return ("", None) if found is None else (found.format, found.value)


@pytest.mark.parametrize(
    ("text", "form", "first", "last"),
    [
        (MARKDOWN, "a Markdown table (lines 2 to 6)", {"id": 1, "name": "Ann", "note": "a | b"}, "Cy"),
        (PSQL, "a printed table (lines 0 to 4)", {"id": 1, "name": "Ann", "balance": 10.5}, "Cleo"),
        (MYSQL, "a printed table", {"id": 1, "name": "Ann"}, "Cy"),
        (DRAWN, "a printed table", {"id": 1, "name": "Ann"}, "Cy"),
        (PIP, "aligned columns", {"Package": "annotated-types", "Version": "0.7.0"}, "zope"),
        (
            DPKG,
            "aligned columns (lines 1 to 5)",
            {
                "||/": "ii",
                "Name": "adduser",
                "Version": "3.134",
                "Architecture": "all",
                "Description": "add and remove users and groups",
            },
            "zstd",
        ),
        (
            PODS,
            "aligned columns",
            {"NAMESPACE": "kube-system", "NAME": "coredns-1", "READY": "1/1", "RESTARTS": "0", "AGE": "40d"},
            "api-3",
        ),
        (
            PROCESSES,
            "aligned columns",
            {
                "USER": "root",
                "PID": 1,
                "%CPU": 0.6,
                "VSZ": 45600,
                "TTY": "?",
                "STAT": "SLl",
                "COMMAND": "/sbin/init --system",
            },
            "postgres: checkpointer",
        ),
    ],
)
def test_a_printed_table_is_a_list_of_objects(text: str, form: str, first: Any, last: str) -> None:
    named, rows = opened(text)
    assert (named, rows[0], len(rows)) == (form, first, 3)
    assert last in rows[2].values()


def test_cells_keep_their_place_where_others_are_empty() -> None:
    assert opened(PODS)[1][2] == {
        "NAMESPACE": "prod",
        "NAME": "api-3",
        "READY": "1/1",
        "RESTARTS": "",
        "AGE": "3h",
    }
    assert opened(PSQL)[1][2]["balance"] is None


@pytest.mark.parametrize(
    "text",
    [
        MARKDOWN.replace("| 2 | Ben |  |", "| 2 | Ben |"),
        PSQL.replace("  2 | Ben   |   -3.00", "  2 | Ben | | x"),
        PIP.replace("a name with spaces 1.2", "a name that goes on beyond 1.2"),
        PODS.replace("prod          web-7 ", "production-cluster web-7 "),
        "TODAY WE TALK ABOUT\nthe news of the day\nand what comes next\nand more of it\n",
        "A B C\nsome words here\nand others there\nbut no numbers\n",
        "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n\n" + "Much more text than table.\n" * 20,
        "Title\n-----\n\nText of a document\nthat has headings\nunder rules.\n",
    ],
)
def test_what_does_not_fit_its_columns_stays_a_text(text: str) -> None:
    assert opened(text) == ("", None)


@pytest.mark.parametrize(
    "text",
    [
        "|" * 500_000,
        "|-" * 2_000 + "\n" + "|-" * 200_000,
        "a|b\n" + "-|" * 100_000 + "\n" + "1|2\n" * 50_000,
        "A  B  C\n" + "1  2  3\n" * 100_000,
        "A B C\n" + " " * 400_000 + "\n" * 50,
        "a b\n" + "--  " * 100_000 + "\n" + "1 2\n" * 9,
        "+" + "-+" * 200_000 + "\n" + "|" * 200_000,
    ],
    ids=range(7),
)
def test_hostile_tables_are_refused_and_not_fatal(text: str) -> None:
    open_text(text, in_sandbox=True)
    is_for_the_sandbox(text)


@given(text=st.text(alphabet="|-+= \nAB1:\\─│┼\t"))
def test_no_text_makes_the_parser_of_tables_fail(text: str) -> None:
    found = open_text(text, in_sandbox=True)
    assert found is None or isinstance(found.value, (list, dict))
