"""Servers on a local port, and their clients."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from tests.ports import free_port
from tests.preloaded_python import PYTHON
from tests.waiting import until
from tests.wrap.running import wrapped

ACCESSES = ["stdio", "gateway", "http", "http gateway", "stateless http"]


@contextlib.contextmanager
def wrapped_server(way: str, server: str, folder: Path, **environment: str) -> Iterator[Any]:
    """Wrap a server of this folder in one of the ways; gives what a client connects to, each time it does."""
    command = [PYTHON, str(Path(__file__).with_name(server))]
    servers = folder / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"odd": {"command": command[0], "args": command[1:]}}}))
    with wrapped(
        way, *(["--servers", str(servers)] if "gateway" in way else ["--", *command]), **environment
    ) as connect:
        yield connect


@contextlib.asynccontextmanager
async def over_http(server: MCPServer[Any]) -> AsyncIterator[str]:
    """Serve, and yield the URL."""
    port = free_port()
    web = uvicorn.Server(
        uvicorn.Config(server.streamable_http_app(host="127.0.0.1"), host="127.0.0.1", port=port, log_level="error")
    )

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # the server also stops after a failed test
            await web.serve()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await until(lambda: web.started, "the server has started")
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            web.should_exit = True


@contextlib.asynccontextmanager
async def client_of(url: str, token: str | None, mode: Any) -> AsyncIterator[Client]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def object_id_in(text: str) -> str:
    found = re.search(r"@(obj_[A-Za-z0-9_-]+)", text)
    assert found, text
    return found.group(1)
