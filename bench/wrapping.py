"""Overhead of ``coatcheck wrap`` in front of servers over stdio, compared with ctxtual."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from clients import StdioClient
from measuring import Times, alternating, median, ratio
from peers import PeerMissing, programs_of
from table import Figure

BIN = Path(sys.executable).parent
PLAIN = [sys.executable, str(Path(__file__).with_name("plain_server.py")), "stdio"]
WRAP = [str(BIN / "coatcheck"), "wrap"]
STARTS, CALLS, LARGE_CALLS = 7, 150, 7
COMMITS = 2_000
LARGE = 20_000_000
ADDED_TO_A_CALL, ADDED_TO_THE_START, LARGE_RATIO = 1e-3, 0.7, 1.5


def wrapping() -> list[Figure]:
    """Servers directly, behind coatcheck and behind ctxtual, alternating."""
    prefixes = {"direct": [], "wrapped": [*WRAP, "--"]}
    try:
        prefixes["peer"] = [str(programs_of("ctxtual") / "ctxtual"), "wrap", "--log-level", "error", "--"]
    except PeerMissing as missing:
        print(f"{missing}\nContinuing without it.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        _make_history(folder)
        return [*_real_server(prefixes, folder), *_large_messages(prefixes)]


def _real_server(prefixes: dict[str, list[str]], folder: str) -> list[Figure]:
    section = f"mcp-server-git over stdio, {COMMITS:,} commits"
    server = [str(BIN / "mcp-server-git"), "--repository", folder]
    commands = {name: [*front, *server] for name, front in prefixes.items()}
    starts = alternating(
        {name: lambda command=command: _start(command) for name, command in commands.items()}, rounds=STARTS
    )
    status = {"name": "git_status", "arguments": {"repo_path": folder}}
    log = {"name": "git_log", "arguments": {"repo_path": folder, "max_count": COMMITS}}
    with ExitStack() as stack:
        clients = {name: stack.enter_context(StdioClient(command)) for name, command in commands.items()}
        for client in clients.values():
            client.open()
        calls = alternating(_requests(clients, "tools/call", status), rounds=CALLS)
        answers = {name: client.request("tools/call", status)["content"] for name, client in clients.items()}
        assert answers["wrapped"] == answers["direct"], "a small result must pass unchanged"
        seen = {name: _characters(client.request("tools/call", log)) for name, client in clients.items()}
    return [
        Figure(section, "start to first tools/list, directly", "ms", median(starts["direct"])),
        _added(section, "added to the start", starts, ADDED_TO_THE_START),
        Figure(section, "git_status, directly", "ms", median(calls["direct"])),
        _added(section, "added to git_status", calls, ADDED_TO_A_CALL),
        Figure(section, "characters of git_log, directly", "characters", seen["direct"]),
        Figure(section, "characters of git_log that a model sees", "characters", seen["wrapped"], seen.get("peer")),
    ]


def _large_messages(prefixes: dict[str, list[str]]) -> list[Figure]:
    section = "20 MB over stdio, a server without an SDK"
    messages: dict[str, tuple[str, dict[str, Any]]] = {
        "an argument": ("tools/call", {"name": "length", "arguments": {"value": "x" * LARGE}}),
        "a resource": ("resources/read", {"uri": f"plain://text/{LARGE}"}),
        "a result, kept and previewed": ("tools/call", {"name": "text", "arguments": {"size": LARGE}}),
    }
    figures = []
    for name, (method, params) in messages.items():
        with ExitStack() as stack:
            clients = {way: stack.enter_context(StdioClient([*front, *PLAIN])) for way, front in prefixes.items()}
            for client in clients.values():
                client.open()
            # The peer takes many seconds, so it is called once; it serves only resources that a server lists.
            requests = _requests(clients, method, params)
            peer = requests.pop("peer", None)
            times = alternating(requests, rounds=LARGE_CALLS)
            once = _seconds(peer) if peer is not None and method == "tools/call" else None
        figures += [
            Figure(section, f"{name}, directly", "ms", median(times["direct"])),
            Figure(
                section,
                f"{name}, in direct times",
                "x",
                ratio(times["wrapped"], times["direct"]),
                once and once / median(times["direct"]),
                LARGE_RATIO,
            ),
        ]
    return figures


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _requests(
    clients: dict[str, StdioClient], method: str, params: dict[str, Any]
) -> dict[str, Callable[[], dict[str, Any]]]:
    return {name: lambda client=client: client.request(method, params) for name, client in clients.items()}


def _added(section: str, name: str, times: Times, target: float) -> Figure:
    def added(way: str) -> float:
        return median([one - other for one, other in zip(times[way], times["direct"], strict=True)])

    return Figure(section, name, "ms", added("wrapped"), added("peer") if "peer" in times else None, target)


def _characters(result: dict[str, Any]) -> int:
    return sum(len(block.get("text", "")) for block in result["content"])


def _start(command: list[str]) -> None:
    with StdioClient(command) as client:
        client.open()


def _make_history(folder: str) -> None:
    """Make a repository with many commits."""
    stream = "".join(
        f"commit refs/heads/main\nmark :{number}\n"
        f"committer Ann Example <ann@example.org> {1_700_000_000 + number * 60} +0000\n"
        f"data <<END\nChange number {number}: tidy the shelves\nEND\n"
        + (f"from :{number - 1}\n" if number > 1 else "")
        + f"M 100644 inline shelf.txt\ndata <<END\nshelf {number}\nEND\n"
        for number in range(1, COMMITS + 1)
    )
    git = ["git", "-C", folder]
    subprocess.run([*git, "init", "--quiet", "-b", "main"], check=True, capture_output=True)
    subprocess.run([*git, "fast-import", "--quiet"], input=stream.encode(), check=True, capture_output=True)
    subprocess.run([*git, "reset", "--quiet", "--hard", "main"], check=True, capture_output=True)
