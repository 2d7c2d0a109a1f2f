"""The real commands over HTTP, each in a separate process."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.ports import free_port, wait_until_listening
from tests.preloaded_python import PYTHON
from tests.wrap.running import QUIET, WRAP

SLOW_SERVER = Path(__file__).parent / "slow_server.py"
KINDS = ["serve", "wrap", pytest.param("sse", marks=pytest.mark.long)]
"""All have the same parts, so two of them are enough for everyday runs."""

TOKEN = "canary-token-Qm7t9"
START_SECONDS = 30.0


@dataclass
class Served:
    """A running server.

    Attributes:
        base: Its address, ``http://127.0.0.1:8000``.
        mcp: The URL of its MCP endpoint.
        process: Its process.
    """

    base: str
    mcp: str
    process: subprocess.Popen[bytes]
    errors: Path

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.base + path, timeout=START_SECONDS)

    @property
    def log(self) -> str:
        return self.errors.read_text()


@contextlib.contextmanager
def served(kind: str, folder: Path, *flags: str, python: str = PYTHON, **environment: str) -> Iterator[Served]:
    """Run ``serve`` over streamable HTTP or SSE, or ``wrap`` in front of the slow server."""
    port = free_port()
    if kind == "wrap":
        command = [*WRAP, "--transport", "streamable-http", *flags, "--port", str(port)]
        command += ["--", PYTHON, str(SLOW_SERVER)]
    else:
        transport = "sse" if kind == "sse" else "streamable-http"
        command = [python, "-m", "coatcheck", "serve", "--transport", transport, *flags, "--port", str(port)]
    errors = folder / f"{kind}-{port}.stderr"
    environment = {**os.environ, **QUIET, "PYTHONPATH": str(SLOW_SERVER.parent), **environment}
    with errors.open("wb") as stderr:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, env=environment)
    try:
        wait_until_listening(port, process, errors.read_text)
        base = f"http://127.0.0.1:{port}"
        yield Served(base, base + ("/sse" if kind == "sse" else "/mcp"), process, errors)
    finally:
        process.kill()
        process.wait(START_SECONDS)
