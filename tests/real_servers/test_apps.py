"""The official example servers of MCP Apps work behind coatcheck, for clients with and without views."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client import advertise
from mcp_types import CallToolResult, Implementation

from tests.preloaded_python import PYTHON
from tests.real_servers.apps_host import show_view
from tests.real_servers.packages import npm_server
from tests.real_servers.sessions import connected as connected_to
from tests.real_servers.test_gateway import write as gateway_before

pytestmark = [pytest.mark.npm, pytest.mark.anyio]

UI, VIEW_TYPE = "io.modelcontextprotocol/ui", "text/html;profile=mcp-app"
SEGMENTS, CLOCK = "server-customer-segmentation", "server-basic-vanillajs"


@asynccontextmanager
async def connected(
    server: str, *flags: str, name: str = "a host", apps: bool = True, wrapped: bool = True
) -> AsyncIterator[Client]:
    command = [*npm_server(server), "--stdio"]
    if wrapped:
        command = [PYTHON, "-m", "coatcheck", "wrap", *flags, "--", *command]
    parameters = StdioServerParameters(command=command[0], args=command[1:])
    with anyio.fail_after(90):
        async with Client(
            stdio_client(parameters),
            client_info=Implementation(name=name, version="1"),
            extensions=[advertise(UI, {"mimeTypes": [VIEW_TYPE]})] if apps else None,
        ) as client:
            yield client


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(block, "text", "") for block in result.content)


async def customers(*flags: str, name: str, apps: bool) -> tuple[str, dict]:
    async with connected(SEGMENTS, *flags, name=name, apps=apps) as client:
        result = await client.call_tool("get-customer-data", {})
        return text_of(result), result.structured_content or {}


@pytest.mark.parametrize(("name", "apps", "whole"), [("claude-code", True, True), ("claude-code", False, False)])
async def test_each_host_gets_the_form_of_its_profile(name, apps, whole):
    text, structured = await customers(name=name, apps=apps)
    assert text.startswith("@obj_")
    if whole:
        assert len(structured["customers"]) == 250
    else:
        assert set(structured) == {"$stored"}


@pytest.mark.parametrize(("form", "whole"), [("whole", True), ("short", False)])
async def test_the_setting_overrides_the_capabilities_of_the_host(form, whole):
    _, structured = await customers("--structured-content", form, name="claude-code", apps=True)
    assert ("customers" in structured) is whole


async def test_a_profile_can_be_set_for_a_host_with_an_unknown_name():
    _, structured = await customers("--host-profile", "codex", name="a host of our own", apps=False)
    assert set(structured) == {"$stored"}


async def test_a_view_and_its_uri_are_the_same_directly_and_wrapped():
    seen = []
    for wrapped in (False, True):
        async with connected(SEGMENTS, wrapped=wrapped) as client:
            listed = await client.list_tools()
            tool = next(tool for tool in listed.tools if tool.name == "get-customer-data")
            uri = tool.meta["ui"]["resourceUri"]
            content = (await client.read_resource(uri)).contents[0]
            seen.append((uri, content.mime_type, content.text, content.meta))
    assert seen[0] == seen[1]
    assert seen[0][1] == VIEW_TYPE


async def test_a_small_result_passes_byte_for_byte():
    async with connected(CLOCK, name="claude-code") as client:
        result = await client.call_tool("get-time", {})
        assert text_of(result) == result.structured_content["time"]


async def test_the_text_of_a_view_without_structured_content_stays_whole(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        "from mcp.server import MCPServer\n"
        "server = MCPServer('views')\n"
        "@server.tool(meta={'ui': {'resourceUri': 'ui://views/rows.html'}}, structured_output=False)\n"
        "def rows() -> str:\n    return 'row\\n' * 5000\n"
        "@server.tool(meta={'ui': {'visibility': ['app']}})\n"
        "def page() -> list[int]:\n    return list(range(9000))\n"
        "server.run()\n"
    )
    command = [PYTHON, "-m", "coatcheck", "wrap", "--", PYTHON, str(script)]
    with anyio.fail_after(60):
        async with Client(stdio_client(StdioServerParameters(command=command[0], args=command[1:]))) as client:
            await client.list_tools()
            assert text_of(await client.call_tool("rows", {})) == "row\n" * 5000
            untouched = await client.call_tool("page", {})
            assert untouched.structured_content == {"result": list(range(9000))}
            assert json.loads(text_of(untouched)[:1] or "0") == 0


@pytest.mark.parametrize("how", [pytest.param("wrapped", marks=pytest.mark.long), "gateway"])
async def test_in_a_browser_a_view_shows_the_data_of_its_server_over_every_connection(how, tmp_path):
    servers = {"segments": [*npm_server(SEGMENTS), "--stdio"], "clock": [*npm_server(CLOCK), "--stdio"]}
    gateway = gateway_before(tmp_path / "mcp.json", **servers)
    host = {"extensions": [advertise(UI, {"mimeTypes": [VIEW_TYPE]})]}
    views = {"segments": ("get-customer-data", r"Startup\s+\("), "clock": ("get-time", r"Time:\s+2")}
    for name in ("segments",) if how == "wrapped" else servers:
        tool, ready = views[name]
        command = gateway if how == "gateway" else servers[name]
        async with connected_to(command, wrapped=how == "wrapped", **host) as session:
            seen = await show_view(session, tool, tmp_path / name, re.compile(ready))
        structured = seen["result"]["structuredContent"]
        assert seen["uri"].startswith("ui://")
        if name == "segments":
            counted = Counter(customer["segment"] for customer in structured["customers"])
            assert dict(re.findall(r"([\w-]+)\s+\((\d+)\)", seen["text"])) == {k: str(v) for k, v in counted.items()}
            # For the model; the view read the whole result by a separate call.
            assert seen["result"]["content"][0]["text"].startswith("@obj_")
        else:
            assert structured["time"] in seen["text"]


async def test_views_of_several_servers_with_the_same_uri_are_distinguished_in_both_spellings(tmp_path):
    views = (
        "import sys\nfrom mcp.server import MCPServer\nserver = MCPServer('views')\n"
        "meta = {'ui': {'resourceUri': 'ui://views/page.html', 'csp': {}}, 'ui/resourceUri': 'ui://views/page.html'}\n"
        "@server.tool(meta=meta)\ndef rows() -> str:\n    return sys.argv[1]\n"
        f"@server.resource('ui://views/page.html', mime_type='{VIEW_TYPE}', meta={{'ui': {{'prefersBorder': True}}}})\n"
        "def page() -> str:\n    return f'<p>{sys.argv[1]}'\nserver.run()\n"
    )
    command = [PYTHON, "-c", views]
    gateway = gateway_before(tmp_path / "mcp.json", one=[*command, "first"], two=[*command, "second"])
    for mode in ("legacy", "2026-07-28"):
        async with connected_to(gateway, wrapped=False, mode=mode) as session:
            listed = (await session.ask("tools/list"))["tools"]
            metas = {tool["name"]: tool["_meta"] for tool in listed if tool["name"].endswith("rows")}
            assert set(metas) == {"one__rows", "two__rows"}
            for (name, meta), text in zip(sorted(metas.items()), ("first", "second"), strict=True):
                uri = meta["ui"]["resourceUri"]
                assert uri.startswith("ui://")
                assert meta == {"ui": {"resourceUri": uri, "csp": {}}, "ui/resourceUri": uri}, name
                (page,) = (await session.ask("resources/read", {"uri": uri}))["contents"]
                assert (page["uri"], page["mimeType"], page["text"]) == (uri, VIEW_TYPE, f"<p>{text}")
                assert page["_meta"] == {"ui": {"prefersBorder": True}}
            with pytest.raises(
                MCPError, match=r'There is no tool "rows"\. Several servers have one: one__rows, two__rows'
            ):
                await session.ask("tools/call", {"name": "rows", "arguments": {}})
