"""Servers and proxies that run as separate processes."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from tests.ports import wait_until_listening
from tests.preloaded_python import PYTHON
from tests.results import text_of
from tests.waiting import until

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 30.0
FEATURES = [PYTHON, str(HERE / "feature_server.py")]
WRAP = [PYTHON, "-m", "coatcheck", "wrap"]
OWN_WRAP = [sys.executable, *WRAP[1:]]
"""In a separate process, with its servers as child processes."""
QUIET = {"PYTHONWARNINGS": "ignore"}


def minimal_server(text: str) -> str:
    """Return the code of a server without an SDK; `text` is the expression of each call's result, of `asked`."""
    return f"""
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        who = {{"name": "echo", "version": "1"}}
        result = {{"protocolVersion": "2025-11-25", "capabilities": {{"tools": {{}}}}, "serverInfo": who}}
        result["supportedVersions"] = ["2026-07-28"]
        if asked["method"] == "tools/call":
            result = {{"content": [{{"type": "text", "text": {text}}}]}}
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": result}}), flush=True)
"""


@contextlib.contextmanager
def serving(*arguments: str, port: int, python: str = PYTHON, **environment: str):
    """Run the feature server over HTTP."""
    process = subprocess.Popen(
        [python, *FEATURES[1:], *arguments, str(port)], env={**os.environ, **QUIET, **environment}
    )
    try:
        wait_until_listening(port, process)
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def wrapped_over_http(*arguments: str, wrap: list[str] = WRAP, port: int = 0, **environment: str):
    """Run ``coatcheck wrap`` on a port, by default a free one; gives the process, its URL and what it wrote to stderr."""
    command = [*wrap, "--transport", "streamable-http", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env={**os.environ, **QUIET, **environment}
    )
    log: list[str] = []
    try:
        for line in process.stderr:
            log.append(line.decode())
            if found := re.search(r"listening on (\S+)", log[-1]):
                break
        else:
            raise AssertionError(f"it did not listen: {log}")
        reader = threading.Thread(target=lambda: log.extend(line.decode() for line in process.stderr), daemon=True)
        reader.start()
        yield process, found.group(1), log
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)
        process.stderr.close()


def wrap_on_stdio(*arguments: str, **environment: str):
    """A transport for a client: ``coatcheck wrap`` over stdio."""
    environment = {**os.environ, **QUIET, **environment}
    return stdio_client(StdioServerParameters(command=WRAP[0], args=[*WRAP[1:], *arguments], env=environment))


@contextlib.contextmanager
def wrapped(way: str, *arguments: str, **environment: str):
    """A function that connects a client; over HTTP, it checks that stderr has no traceback.

    Args:
        way: ``stdio`` unless it contains ``http``; ``stateless`` HTTP has no sessions.
        *arguments: Arguments of ``coatcheck wrap``.
    """
    if "http" not in way:
        yield lambda: wrap_on_stdio(*arguments, **environment)
        return
    more = ["--stateless"] if "stateless" in way else []
    with wrapped_over_http(*more, *arguments, **environment) as (_, url, log):
        yield lambda: url
        assert "Traceback" not in "".join(log)


@contextlib.asynccontextmanager
async def calling(target, *, seconds: float):
    """Connect a client; yields a function that calls a tool of the server ``odd``, alone or behind a gateway.

    It returns the text of a result, or ``error:`` and the text of an error, within this many seconds.
    """
    async with Client(target(), mode="legacy") as client:
        names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}

        async def call(name: str) -> str:
            try:
                with anyio.fail_after(seconds):
                    result = await client.call_tool(names[name.replace(" ", "_")], {})
            except MCPError as error:
                return f"error: {error}"
            return f"error: {text_of(result)}" if result.is_error else text_of(result)

        yield call


async def appears(path: Path) -> None:
    """Wait until a file exists."""
    await until(path.exists, f"{path.name} is there")
