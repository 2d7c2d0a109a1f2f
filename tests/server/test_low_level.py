"""`attach` on a low-level `Server`, whose tools are known only from its list, and on other objects."""

import json
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.server import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import overridden
from coatcheck.server import attach
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio

ROWS = {"type": "object", "properties": {"rows": {"type": "array"}}, "required": ["rows"]}
PAGES = {
    None: [
        Tool(
            name="rows",
            input_schema={"type": "object", "properties": {"count": {"type": "integer"}}},
            output_schema=ROWS,
        )
    ],
    "more": [Tool(name="total", input_schema={"type": "object", "properties": {"rows": {"type": "array"}}})],
}


async def list_tools(ctx: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
    cursor = params.cursor if params else None
    return ListToolsResult(tools=PAGES[cursor], next_cursor=None if cursor else "more")


async def call_tool(ctx: Any, params: CallToolRequestParams) -> CallToolResult:
    arguments = params.arguments or {}
    if params.name == "rows":
        data = {"rows": [{"number": n} for n in range(arguments["count"])]}
        return CallToolResult(content=[TextContent(type="text", text=json.dumps(data))], structured_content=data)
    total = sum(row["number"] for row in arguments["rows"])
    return CallToolResult(content=[TextContent(type="text", text=str(total))])


@pytest.fixture
def server(container: Container) -> Server[Any]:
    made: Server[Any] = Server("low", on_list_tools=list_tools, on_call_tool=call_tool)
    assert "object_store_get" in attach(made, container)
    return made


async def test_a_reference_works_before_any_tools_list(server, container, mode):
    async with Client(server, mode=mode) as client:
        reference = reference_in(text_of(await client.call_tool("rows", {"count": 3000})))
        assert text_of(await client.call_tool("total", {"rows": f"{reference}.rows"})) == str(sum(range(3000)))
        assert (
            text_of(await client.call_tool("object_store_get", {"object_id": reference, "path": "rows[5].number"}))
            == "5"
        )
        missing = await client.call_tool("total", {"rows": "@obj_nothing"})
        assert missing.is_error
        assert "not found" in text_of(missing)


async def test_the_object_tools_are_on_the_last_page_of_the_list(server, mode):
    async with Client(server, mode=mode) as client:
        first = await client.list_tools()
        second = await client.list_tools(cursor=first.next_cursor)
        assert [tool.name for tool in first.tools] == ["rows"]
        assert {"total", "object_store_get"} <= {tool.name for tool in second.tools}
        schema = first.tools[0].output_schema
        for count in (2, 3000):
            jsonschema.validate((await client.call_tool("rows", {"count": count})).structured_content, schema)


async def test_small_results_are_the_same_as_without_coatcheck(server, mode):
    plain: Server[Any] = Server("low", on_list_tools=list_tools, on_call_tool=call_tool)
    async with Client(plain, mode=mode) as direct, Client(server, mode=mode) as through:
        expected = await direct.call_tool("rows", {"count": 2})
        actual = await through.call_tool("rows", {"count": 2})
        assert actual.model_dump_json(by_alias=True) == expected.model_dump_json(by_alias=True)


async def test_an_override_applies(server, container, mode):
    backend = InMemoryBackend()
    async with Client(server, mode=mode) as client:
        with overridden(container, backend=backend):
            await client.call_tool("rows", {"count": 3000})
    assert backend.statistics().objects == 1


async def test_a_server_is_attached_once_and_needs_tools(server, container):
    with pytest.raises(SettingsError, match="attached already"):
        attach(server, container)
    with pytest.raises(SettingsError, match="has no tools: pass on_list_tools and on_call_tool"):
        attach(Server("empty"), container)


@pytest.mark.parametrize("thing", [object(), "server", Container])
def test_anything_else_is_refused_with_the_supported_kinds(thing, container):
    with pytest.raises(SettingsError, match=r"MCPServer or a low-level Server of the MCP SDK 2, or a FastMCP 4, not "):
        attach(thing, container)
