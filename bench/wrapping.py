"""What ``coatcheck wrap`` adds to a real server: seconds at start, and to a small call."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from measuring import in_turn, median
from table import Figure

BIN = Path(sys.executable).parent
STARTS = 5
PROTOCOL = "2025-06-18"


class Server:
    """A server over stdio and the simplest of clients: it writes a line and reads lines until the answer is there."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self) -> None:
        """Shake hands and list the tools."""
        client = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.request("initialize", client)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.request("tools/list", {})

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and give its result."""
        self._last_id += 1
        self._write({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._last_id and "method" not in message:
                result: dict[str, Any] = message["result"]
                return result
        raise RuntimeError(f"The server ended before it answered {method}.")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def wrapping() -> list[Figure]:
    """mcp-server-git directly and behind coatcheck, in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        _make_repository(folder)
        direct = [str(BIN / "mcp-server-git"), "--repository", folder]
        wrapped = [str(BIN / "coatcheck"), "wrap", "--", *direct]
        starts = in_turn({"direct": lambda: _start(direct), "wrapped": lambda: _start(wrapped)}, rounds=STARTS)
        servers = {"direct": stack.enter_context(Server(direct)), "wrapped": stack.enter_context(Server(wrapped))}
        for server in servers.values():
            server.open()
        call = {"name": "git_status", "arguments": {"repo_path": folder}}
        answers = [server.request("tools/call", call)["content"] for server in servers.values()]
        assert answers[0] == answers[1], "a small result must pass unchanged"
        calls = in_turn(
            {name: lambda server=server: server.request("tools/call", call) for name, server in servers.items()},
            rounds=100,
        )
    section = "mcp-server-git, directly and behind coatcheck wrap"
    start, call_time = _medians(starts), _medians(calls)
    added = median([one - other for one, other in zip(calls["wrapped"], calls["direct"], strict=True)])
    return [
        Figure(section, "start to first tools/list, directly", "ms", start["direct"]),
        Figure(section, "start to first tools/list, wrapped", "ms", start["wrapped"]),
        Figure(section, "git_status, directly", "ms", call_time["direct"]),
        Figure(section, "git_status, wrapped", "ms", call_time["wrapped"]),
        Figure(section, "added to a small call", "ms", added),
    ]


def _medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: median(found) for name, found in times.items()}


def _start(command: list[str]) -> None:
    with Server(command) as server:
        server.open()


def _make_repository(folder: str) -> None:
    (Path(folder) / "a.txt").write_text("one\n")
    git = ["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "First"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
