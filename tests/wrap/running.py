"""Servers and proxies that run as processes, for tests from outside."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client

HERE = Path(__file__).parent
PATIENCE = 30.0
FEATURES = [sys.executable, str(HERE / "feature_server.py")]
WRAP = [sys.executable, "-m", "coatcheck", "wrap"]
QUIET = {"PYTHONWARNINGS": "ignore"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < ends, "the server does not listen"


@contextlib.contextmanager
def serving(*arguments: str, port: int, **environment: str):
    """Run the feature server over HTTP."""
    process = subprocess.Popen([*FEATURES, *arguments, str(port)], env={**os.environ, **QUIET, **environment})
    try:
        wait_for_port(port)
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def wrapped_over_http(*arguments: str, **environment: str):
    """Run ``coatcheck wrap`` on a free port; gives the process, its URL and what it wrote to stderr."""
    command = [*WRAP, "--transport", "streamable-http", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env={**os.environ, **QUIET, **environment}
    )
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line.decode())
            if found := re.search(r"listening on (\S+)", said[-1]):
                break
        else:
            raise AssertionError(f"it did not listen: {said}")
        reader = threading.Thread(target=lambda: said.extend(line.decode() for line in process.stderr), daemon=True)
        reader.start()
        yield process, found.group(1), said
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stderr.close()


def wrap_on_stdio(*arguments: str, **environment: str):
    """A transport for a client: ``coatcheck wrap`` over stdio."""
    environment = {**os.environ, **QUIET, **environment}
    return stdio_client(StdioServerParameters(command=WRAP[0], args=[*WRAP[1:], *arguments], env=environment))


def words(result) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def reference_in(text: str) -> str:
    return re.search(r"@obj_[\w-]+", text).group(0)


async def appears(path: Path) -> None:
    """Wait until a file is there."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240
        await anyio.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def ends(pid: int) -> None:
    """Wait until a process has ended."""
    while is_alive(pid):  # noqa: ASYNC110
        await anyio.sleep(0.05)
