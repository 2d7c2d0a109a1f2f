"""The real command, as a process over stdio or HTTP."""

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.preloaded_python import PYTHON

COATCHECK = [PYTHON, "-m", "coatcheck"]
SERVE = ["serve", "--toolset", "deepset"]
START_SECONDS = 60


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPSET_", "COATCHECK_"))}
    return {**kept, **variables}


@contextlib.asynccontextmanager
async def over_stdio(*flags: str, mode: str = "auto", **variables: str) -> AsyncIterator[Client]:
    server = StdioServerParameters(
        command=COATCHECK[0], args=[*COATCHECK[1:], *SERVE, *flags], env=environment(**variables)
    )
    async with Client(stdio_client(server), mode=mode) as client:
        yield client


@contextlib.contextmanager
def over_http(*flags: str, **variables: str) -> Iterator[str]:
    """Serve over HTTP on a free port, and yield the URL."""
    command = [*COATCHECK, *SERVE, "--transport", "streamable-http", "--port", "0", *flags]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(**variables)
    )
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    lines = []
    rest = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        for line in process.stderr:
            lines.append(line)
            found = re.search(r"listening on (http://\S+)", line)
            if found:
                break
        else:
            raise AssertionError("".join(lines))
        timer.cancel()
        rest.start()
        yield found[1]
    finally:
        timer.cancel()
        process.kill()
        process.wait(START_SECONDS)
        if rest.ident is not None:
            rest.join(START_SECONDS)
        process.stderr.close()


@contextlib.asynccontextmanager
async def client_of(url: str, key: str | None, mode: str = "auto") -> AsyncIterator[Client]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=START_SECONDS) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
