"""Overhead of ``coatcheck wrap`` with HTTP on one or both sides, in the 2026-07-28 protocol."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from clients import HttpClient, ModernStdioClient
from measuring import alternating, median, ratio
from table import Figure
from wrapping import LARGE, LARGE_CALLS, LARGE_RATIO, PLAIN, WRAP

SERVER = str(Path(__file__).with_name("plain_server.py"))
CALLS = 300
START_SECONDS = 20.0


class _Client(Protocol):
    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


def wrapping_http() -> list[Figure]:
    """A server by URL directly, and each pair of transports with coatcheck in between."""
    small = {"name": "length", "arguments": {"value": "abc"}}
    large = {"name": "length", "arguments": {"value": "x" * LARGE}}
    with ExitStack() as stack:
        url = stack.enter_context(_plain_server())
        in_front_of_url = stack.enter_context(_wrapped("--url", url))
        in_front_of_command = stack.enter_context(_wrapped("--", *PLAIN))
        http = {
            "direct": HttpClient(url),
            "HTTP to URL": HttpClient(in_front_of_url),
            "HTTP to command": HttpClient(in_front_of_command),
        }
        stdio = {"stdio to URL": stack.enter_context(ModernStdioClient([*WRAP, "--url", url]))}
        clients: dict[str, _Client] = {**http, **stdio}
        for client in clients.values():
            for _ in range(3):
                client.request("tools/call", small)
        for each in http.values():
            each.reconnect()
        calls = alternating(_requests(clients, small), rounds=CALLS)
        for each in http.values():
            each.reconnect()
        larges = alternating(_requests(clients, large), rounds=LARGE_CALLS)
    section = "a server without an SDK by streamable HTTP"
    figures = [Figure(section, "a small call, directly", "ms", median(calls["direct"]))]
    for name in ("stdio to URL", "HTTP to command", "HTTP to URL"):
        added = median([one - other for one, other in zip(calls[name], calls["direct"], strict=True)])
        figures.append(Figure(section, f"added to it, {name}", "ms", added))
    figures.append(Figure(section, "an argument of 20 MB, directly", "ms", median(larges["direct"])))
    for name in ("stdio to URL", "HTTP to command", "HTTP to URL"):
        times = ratio(larges[name], larges["direct"])
        figures.append(Figure(section, f"the same in direct times, {name}", "x", times, None, LARGE_RATIO))
    return figures


def _requests(clients: dict[str, _Client], params: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    return {name: lambda client=client: client.request("tools/call", params) for name, client in clients.items()}


@contextmanager
def _plain_server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, "http", str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _wrapped(*arguments: str) -> Iterator[str]:
    command = [*WRAP, "--transport", "streamable-http", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"listening on (\S+)", line):
                yield found[1]
                break
        else:
            raise RuntimeError("coatcheck did not start to listen")
    finally:
        process.terminate()
        process.wait()
