"""Reports of several printed tables are read table by table."""

from typing import Any

import pytest

from coatcheck.explorer.texts import open_text

NETSTAT = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        0      0 127.0.0.1:46763         0.0.0.0:*               LISTEN
tcp        0     36 10.0.0.5:22             10.0.0.9:50000          ESTABLISHED
udp        0      0 0.0.0.0:68              0.0.0.0:*
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   Path
unix  2      [ ACC ]     STREAM     LISTENING     11225    /run/a.sock
unix  3      [ ]         STREAM     CONNECTED     25339
unix  3      [ ]         DGRAM                    25340
"""
SCAN = """Starting Nmap
Nmap scan report for h1.lan (10.0.0.1)
Host is up (0.002s latency).
PORT     STATE    SERVICE    VERSION
22/tcp   open     ssh        OpenSSH 9.2
80/tcp   filtered http       nginx

Nmap scan report for h2.lan (10.0.0.2)
Host is up (0.003s latency).
PORT     STATE    SERVICE    VERSION
443/tcp  open     https      nginx

Nmap done
"""
WEEKLY = """# Weekly

## Login

Some words.

| metric | this week |
|---|---:|
| visits | 12 |

## Cart

| metric | this week |
|---|---:|
| orders | 3 |
| returns | 1 |
"""


FIREWALL = """Chain INPUT (policy ACCEPT)
target     prot source        destination
ACCEPT     tcp  10.0.0.0/8    anywhere
DROP       udp  10.0.0.1      anywhere
DROP       udp  10.0.0.2      anywhere
DROP       udp  10.0.0.3      anywhere
DROP       udp  10.0.0.4      anywhere

Chain FORWARD (policy DROP)
target     prot source        destination
ACCEPT     tcp  10.0.0.5      anywhere
ACCEPT     tcp  10.0.0.6      anywhere
ACCEPT     tcp  10.0.0.7      anywhere
"""


def test_several_tables_are_given_under_their_titles() -> None:
    form, value = opened(NETSTAT)
    assert form == "2 printed tables"
    inet, unix = value.values()
    assert list(value) == [
        f"Active {kind} (servers and established)" for kind in ("Internet connections", "UNIX domain sockets")
    ]
    assert inet[1]["Send-Q"] == 36
    assert inet[2]["State"] == ""
    assert unix[2] == {
        "Proto": "unix", "RefCnt": 3, "Flags": "[ ]", "Type": "DGRAM", "State": "", "I-Node": 25340, "Path": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (SCAN, ["Nmap scan report for h1.lan (10.0.0.1)"] * 2 + ["Nmap scan report for h2.lan (10.0.0.2)"]),
        (WEEKLY, ["Login", "Cart", "Cart"]),
        (FIREWALL, ["Chain INPUT (policy ACCEPT)"] * 5 + ["Chain FORWARD (policy DROP)"] * 3),
    ],
)
def test_tables_of_the_same_columns_are_one_list(text: str, titles: list[str]) -> None:
    form, value = opened(text)
    assert form == "2 printed tables, in one list"
    assert [row["table"] for row in value] == titles


def opened(text: str) -> tuple[str, Any]:
    found = open_text(text, in_sandbox=True)
    return ("", None) if found is None else (found.format, found.value)
