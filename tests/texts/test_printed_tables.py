"""Tables in the formats that programs print become lists of objects; similar texts stay texts."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.explorer.texts import is_for_the_sandbox, open_text
from tests.waiting import within

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

DISKS = """Filesystem               Size  Used Avail Use% Mounted on
tmpfs                     24G     0   24G   0% /dev/shm
/dev/vda                 252G   30G   72G  30% /
nas01:/export/data       1.8T  503M  1.2T   1% /mnt/backup archive
"""
SOCKETS = """Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=630,fd=3))
tcp   ESTAB  0      36         10.0.3.17:22       10.0.1.2:5    users:(("sshd",pid=88,fd=4))
udp   UNCONN 0      0          127.0.0.1:323       0.0.0.0:*
"""
CONNECTIONS = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      630/sshd: /usr/sbin
tcp        0    180 10.0.3.17:22            10.0.1.2:55210          ESTABLISHED 88/sshd: root@pts/0
udp        0      0 127.0.0.1:323           0.0.0.0:*                           -
"""
FILES = """COMMAND     PID  TID TASKCMD   USER   FD      TYPE DEVICE SIZE/OFF    NODE NAME
systemd       1                root  cwd       DIR  254,0     4096       2 /
rsyslogd    512  515 in:imuxso root    3u     unix 0xffff      0t0   16404 /run/systemd/journal/syslog type=DGRAM
sshd        630                root    3u     IPv4  16511      0t0     TCP *:22 (LISTEN)
"""
UNITS = """  UNIT              LOAD   ACTIVE   SUB     DESCRIPTION
  cron.service      loaded active   running Regular background program processing daemon
  getty@tty1.service loaded inactive dead    Getty on tty1
  ssh.service       loaded failed   failed  OpenBSD Secure Shell server
"""
TOP = """top - 18:37:34 up 35 min,  0 user,  load average: 4.09, 5.89, 5.63
Tasks: 112 total,   5 running

  PID USER      PR  NI    VIRT    RES  %CPU     TIME+ COMMAND
 2144 root      20   0  277216 114984  62.5   2:26.54 python3.11
 4834 postgres  20   0  117260  84356  50.0   0:00.90 postgres: checkpointer
   91 root      rt   0       0      0   0.0   0:00.00 migration/0
"""
MEMORY = """               total        used        free
Mem:           24105        1584       18688
Swap:              0           0           0
Total:         24105        1584       18688
"""


SHORTENED = (
    "┌───────┬─────────┐\n│   a   │    b    │\n│ int64 │ varchar │\n├───────┼─────────┤\n│     0 │ x y     │\n│     1 │ x y     │\n"
    "│     · │  ·      │\n│     · │  ·      │\n│   298 │ x y     │\n└───────┴─────────┘\n  300 rows (3 shown)\n"
)


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
        (
            DISKS,
            "aligned columns",
            {
                "Filesystem": "tmpfs",
                "Size": "24G",
                "Used": "0",
                "Avail": "24G",
                "Use%": "0%",
                "Mounted on": "/dev/shm",
            },
            "/mnt/backup archive",
        ),
        (
            DISKS.replace("     Size", "1K-blocks"),
            "aligned columns",
            {
                "Filesystem": "tmpfs",
                "1K-blocks": "24G",
                "Used": "0",
                "Avail": "24G",
                "Use%": "0%",
                "Mounted on": "/dev/shm",
            },
            "/mnt/backup archive",
        ),
        (
            SOCKETS,
            "aligned columns",
            {
                "Netid": "tcp",
                "State": "LISTEN",
                "Recv-Q": 0,
                "Send-Q": 128,
                "Local Address:Port": "0.0.0.0:22",
                "Peer Address:Port": "0.0.0.0:*",
                "Process": 'users:(("sshd",pid=630,fd=3))',
            },
            "127.0.0.1:323",
        ),
        (
            CONNECTIONS,
            "aligned columns (lines 1 to 4)",
            {
                "Proto": "tcp",
                "Recv-Q": 0,
                "Send-Q": 0,
                "Local Address": "0.0.0.0:22",
                "Foreign Address": "0.0.0.0:*",
                "State": "LISTEN",
                "PID/Program name": "630/sshd: /usr/sbin",
            },
            "127.0.0.1:323",
        ),
        (
            FILES,
            "aligned columns",
            {
                "COMMAND": "systemd",
                "PID": 1,
                "TID": None,
                "TASKCMD": "",
                "USER": "root",
                "FD": "cwd",
                "TYPE": "DIR",
                "DEVICE": "254,0",
                "SIZE/OFF": "4096",
                "NODE": "2",
                "NAME": "/",
            },
            "*:22 (LISTEN)",
        ),
        (
            TOP,
            "aligned columns (lines 3 to 6)",
            {
                "PID": 2144,
                "USER": "root",
                "PR": "20",
                "NI": 0,
                "VIRT": 277216,
                "RES": 114984,
                "%CPU": 62.5,
                "TIME+": "2:26.54",
                "COMMAND": "python3.11",
            },
            "migration/0",
        ),
        (
            MEMORY,
            "aligned columns",
            {"column_1": "Mem:", "total": 24105, "used": 1584, "free": 18688},
            "Total:",
        ),
    ],
)
def test_a_printed_table_is_a_list_of_objects(text: str, form: str, first: Any, last: str) -> None:
    named, rows = opened(text)
    assert (named, rows[0], len(rows)) == (form, first, 3)
    assert last in rows[2].values()


def test_cells_keep_their_column_next_to_empty_ones() -> None:
    assert opened(PODS)[1][2] == {
        "NAMESPACE": "prod",
        "NAME": "api-3",
        "READY": "1/1",
        "RESTARTS": "",
        "AGE": "3h",
    }
    assert opened(PSQL)[1][2]["balance"] is None


COVERAGE = """Name           Stmts   Miss  Cover   Missing
--------------------------------------------
src/cart.py       95     33    81%   23-63, 146
src/user.py      100     30    74%   19-85
src/a b.py         9      0   100%
--------------------------------------------
TOTAL            204     63    85%
"""
ARCHIVE = """  Length   Size  Name
 -------  -----  ----
      87     80  META-INF/
     119     90  a b.txt
       7      7  c
 -------            ----
     213    177  3 files
"""
POLARS = """shape: (3, 2)
┌─────┬───────┐
│ id  ┆ name  │
│ --- ┆ ---   │
│ i64 ┆ str   │
╞═════╪═══════╡
│ 1   ┆ Ann   │
│ 2   ┆ Ben   │
│ 3   ┆ Cy    │
└─────┴───────┘
"""


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (COVERAGE, {"Name": "TOTAL", "Stmts": 204, "Miss": 63, "Cover": "85%", "Missing": ""}),
        (ARCHIVE, {"Length": 213, "Size": 177, "Name": "3 files"}),
        (POLARS, {"id": 3, "name": "Cy"}),
        (PSQL.replace("Ann  ", "A | B"), {"id": 3, "name": "Cleo", "balance": None}),
    ],
)
def test_rules_among_rows_and_signs_in_cells_do_not_end_a_table(text: str, last: dict[str, Any]) -> None:
    assert opened(text)[1][-1] == last


@pytest.mark.parametrize(
    "text",
    [
        MARKDOWN.replace("| 2 | Ben |  |", "| 2 | Ben |"),
        PSQL.replace("  2 | Ben   |   -3.00", "  2 | Ben | x | y"),
        PIP.replace("a name with spaces 1.2", "a name that goes on beyond 1.2"),
        PODS.replace("prod          web-7 ", "production-cluster web-7 "),
        UNITS,  # a name reaches into the next column
        DISKS.replace("nas01:/export/data  ", "nas01:/export/data/of/many"),
        SOCKETS.replace("tcp   ESTAB  0      36   ", "tcp   ESTAB  0      36  x"),
        "name   first  last\nAnn    1  2  3\nBen    4  5  6\nCleo   7  8  9\n",
        "def f(a,  b,  c):\n    return a\n\n\nclass A:\n    pass\n",
        "A list  of things  to do\nbuy bread and then some milk\ncall the dentist on Monday\nwrite to aunt Mary\n",
        "TODAY WE TALK ABOUT\nthe news of the day\nand what comes next\nand more of it\n",
        "A B C\nsome words here\nand others there\nbut no numbers\n",
        "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n\n" + "Much more text than table.\n" * 20,
        "Options:\n\n-a, --all   show  all\n-b          less\n\nMore:\n\n-c, --cold  a  b\n-d          more\n",
        "".join(
            f'  # a.b[{n}] is new\n  + resource  "a" "b" {{\n      + id   = (known)\n      + in   = {{\n          + size = 0\n          }}\n    }}\n\n'
            for n in range(4)
        ),
        "Title\n-----\n\nText of a document\nthat has headings\nunder rules.\n",
    ],
)
def test_text_that_does_not_fit_its_columns_stays_a_text(text: str) -> None:
    assert opened(text) == ("", None)


@pytest.mark.parametrize(
    "text",
    [
        "|" * 500_000,
        "|-" * 2_000 + "\n" + "|-" * 200_000,
        "a|b\n" + "-|" * 100_000 + "\n" + "1|2\n" * 50_000,
        "A  B  C\n" + "1  2  3\n" * 100_000,
        "A B C\n" + " " * 400_000 + "\n" * 50,
        "A  b  c\n" + "x  y  z  " * 200_000 + "\n",
        "A  b  c\n" * 200_000,
        "a b\n" + "--  " * 100_000 + "\n" + "1 2\n" * 9,
        "+" + "-+" * 200_000 + "\n" + "|" * 200_000,
    ],
    ids=range(9),
)
def test_hostile_tables_do_not_fail_or_hang(text: str) -> None:
    with within(2.0, time.process_time):
        open_text(text, in_sandbox=True)
        is_for_the_sandbox(text)


@given(text=st.text(alphabet="|-+= \nAB1:\\─│┼\t"))
def test_no_text_makes_the_parser_of_tables_fail(text: str) -> None:
    found = open_text(text, in_sandbox=True)
    assert found is None or isinstance(found.value, (list, dict))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (
            SHORTENED,
            "a printed table that omits rows after [1] (lines 0 to 9)",
        ),
        (
            "       a      b  c\n0      0    x y  1\n1      1    x y  1\n..   ...    ...  ..\n298  298    x y  1\n\n[300 rows x 3 columns]\n",
            "aligned columns that omits rows after [1] (lines 0 to 4)",
        ),
    ],
)
def test_rows_that_were_not_printed_are_no_rows(text: str, form: str) -> None:
    found, rows = opened(text)
    assert (found, [row["a"] for row in rows]) == (form, [0, 1, 298])
