"""Names in requests that are far longer than any name: they are refused before the SDK logs them."""

import logging
from typing import Any

import pytest
from fastmcp import FastMCP
from mcp import Client, MCPError
from mcp.server import MCPServer, Server
from mcp_types import CallToolResult, ListToolsResult, PromptReference

from coatcheck.containers import Container
from coatcheck.server import attach, configure_mcp_server

pytestmark = pytest.mark.anyio

LONG = "n" * 100_000


def attached_server() -> Any:
    attach(server := MCPServer("attached"), Container())
    return server


def configured_server() -> Any:
    configure_mcp_server(server := MCPServer("configured"), container=Container())
    return server


def low_level_server() -> Any:
    async def list_tools(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=[])

    async def call_tool(*_: Any) -> CallToolResult:
        return CallToolResult(content=[])

    attach(server := Server("low level", on_list_tools=list_tools, on_call_tool=call_tool), Container())
    return server


def fastmcp_server() -> Any:
    server: FastMCP[Any] = FastMCP("fastmcp")
    attach(server, Container())
    return server._mcp_server


@pytest.mark.parametrize("make", [attached_server, configured_server, low_level_server, fastmcp_server])
async def test_names_of_a_megabyte_are_refused_before_they_are_logged(make, caplog):
    caplog.set_level(logging.INFO)
    async with Client(make(), mode="legacy") as client:
        for request in (
            lambda: client.call_tool(LONG, {}),
            lambda: client.get_prompt(LONG),
            lambda: client.read_resource(f"x://{LONG}"),
            lambda: client.complete(PromptReference(type="ref/prompt", name=LONG), {"name": "a", "value": "b"}),
        ):
            with pytest.raises(MCPError, match="is too long: at most") as raised:
                await request()
            assert len(str(raised.value)) < 500
    assert max((len(record.getMessage()) for record in caplog.records), default=0) < 500
