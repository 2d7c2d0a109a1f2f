"""Real clients of the real commands."""

import contextlib

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.monitoring.running import Served


@contextlib.asynccontextmanager
async def client_of(server: Served, token: str | None = None, mode="auto"):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if server.mcp.endswith("/sse"):
        async with Client(sse_client(server.mcp, headers=headers), mode="legacy") as client:
            yield client
    else:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(server.mcp, http_client=http), mode=mode) as client,
        ):
            yield client


def flags_of(kind: str) -> list[str]:
    return [] if kind == "wrap" else ["--toolset", "slow_server:toolset"]
