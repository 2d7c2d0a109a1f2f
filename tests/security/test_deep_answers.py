"""Results nested deeper than the official clients can read: they are kept, or the request gets an error."""

import contextlib
import json
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from coatcheck.codec import CLIENT_LEVELS, is_deeper
from coatcheck.proxy import client_lines
from coatcheck.proxy.client_lines import has_too_many_levels
from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.security.refusing_server import DEEP, nested
from tests.security.serving import ACCESSES, wrapped_server
from tests.wrap.running import WRAP, wrap_on_stdio

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=ACCESSES)
def target(request, tmp_path_factory):
    with wrapped_server(request.param, "refusing_server.py", tmp_path_factory.mktemp("servers")) as connect:
        connect.way = request.param
        yield connect


@contextlib.asynccontextmanager
async def connected(target, mode, **options):
    with anyio.fail_after(60):
        async with Client(target(), mode=mode, **options) as client:
            names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}
            yield client, names


async def assert_kept(client, names) -> None:
    plain = await client.call_tool(names["just_read"], {})
    assert text_of(plain) == "read"
    assert "$stored" not in plain.structured_content
    for name in names.keys() & DEEP.keys() - {"just_read"}:
        result = await client.call_tool(names[name], {})
        shown = text_of(result)
        assert "beside" in shown or name == "long"
        assert result.is_error is (name == "failed")
        assert len(shown) < 8_000
        stored = (result.structured_content or {}).get("$stored") or {"reference": reference_in(shown)}
        got = await client.call_tool("object_store_get", {"object_id": stored["reference"]})
        assert not got.is_error, text_of(got)


async def test_a_result_is_kept_however_short_it_is(target, mode):
    async with connected(target, mode) as (client, names):
        await assert_kept(client, names)


async def test_of_a_result_that_is_never_kept_the_deeper_parts_are_described(tmp_path_factory, mode):
    folder, never = tmp_path_factory.mktemp("servers"), {"COATCHECK_NEVER_KEEP": "*"}
    with wrapped_server("stdio", "refusing_server.py", folder, **never) as target:
        async with connected(target, mode) as (client, names):
            for name in DEEP.keys() - {"just_read", "block"}:
                result = await client.call_tool(names[name], {})
                shown = result.model_dump_json()
                assert "nested too deeply" in shown
                assert "beside" in shown or name == "long"
                assert "@obj_" not in shown
            with pytest.raises(MCPError) as raised:
                await client.call_tool(names["deep_error"], {})
            assert "nested too deeply" in json.dumps(raised.value.error.data)


@pytest.mark.parametrize("way", ["stdio", "http", "stateless http", "http gateway"])
async def test_a_nested_coatcheck_passes_them_to_the_outer_one(tmp_path_factory, mode, way):
    folder = tmp_path_factory.mktemp("servers")
    with wrapped_server(way, "refusing_server.py", folder) as inner:
        command = [*WRAP, "--", PYTHON, str(Path(__file__).with_name("refusing_server.py"))]
        behind = ["--", *command] if way == "stdio" else ["--url", inner()]
        async with connected(lambda: wrap_on_stdio(*behind), mode) as (client, names):
            await assert_kept(client, names)
            with pytest.raises(MCPError) as raised:
                await client.call_tool(names["deep_error"], {})
            assert (raised.value.error.code, raised.value.error.message) == (7, "It is closed.")
            assert text_of(await client.call_tool(names["sends"], {})) == "sends"


async def test_other_responses_become_errors_that_say_why(target, mode):
    async with connected(target, mode) as (client, names):
        with pytest.raises(MCPError) as raised:
            await client.call_tool(names["deep_error"], {})
        assert (raised.value.error.code, raised.value.error.message) == (7, "It is closed.")
        for uri in ("x://short", "x://long", "x://huge"):
            with pytest.raises(MCPError, match="nested deeper than 200 levels"):
                await client.read_resource(uri)


async def test_a_notification_is_dropped_and_a_request_of_the_server_refused(target):
    heard = []

    async def hear(params):
        heard.append(params)

    async def answer(_context, _params):
        raise AssertionError("the request of the server is not for the client")

    async with connected(target, "legacy", logging_callback=hear, sampling_callback=answer) as (client, names):
        assert text_of(await client.call_tool(names["sends"], {})) == "sends"
        refused = text_of(await client.call_tool(names["asks"], {}))
        stateless = "cannot be asked" in refused
        assert stateless or "nested deeper than 200 levels" in refused
        assert not heard


ATTACHED = """
import json, sys
from typing import Any
from coatcheck import Container, attach
from tests.security.refusing_server import DEEP
if sys.argv[1] == "fastmcp":
    from fastmcp import FastMCP
    from fastmcp.tools import ToolResult as Result
    from mcp_types import TextContent
    server, options, run = FastMCP("odd"), {}, {"transport": "stdio", "show_banner": False}
else:
    from mcp.server import MCPServer
    from mcp_types import CallToolResult as Result
    server, options, run = MCPServer("odd", log_level="CRITICAL"), {}, {"transport": "stdio"}

def giving(name):
    given = json.loads("{" + DEEP[name] + "}")
    def tool() -> Result:
        if sys.argv[1] == "fastmcp":
            return Result(
                content=[TextContent(**block) for block in given["content"]], structured_content=given.get("structuredContent"), meta=given.get("_meta"),
                is_error=given.get("isError", False),
            )
        return Result.model_validate(given)
    tool.__name__ = name
    return tool

for name in ("just_read", "structured"):  # the SDKs answer with an error above 254 levels
    server.tool()(giving(name))
attach(server, Container())
server.run(**run)
"""


@pytest.mark.parametrize("library", ["mcp", "fastmcp"])
async def test_an_attached_server_keeps_them_too(mode, library):

    def attached():
        return stdio_client(StdioServerParameters(command=PYTHON, args=["-c", ATTACHED, library], cwd=Path.cwd()))

    async with connected(attached, mode) as (client, names):
        await assert_kept(client, names)


@pytest.mark.parametrize("levels", [1, 199, 200, 201, 260, 900])
@pytest.mark.parametrize("objects", [True, False])
def test_levels_are_counted_in_lines_as_in_values(levels, objects):
    line = nested(levels, objects=objects)
    assert has_too_many_levels(line.encode()) is (levels > CLIENT_LEVELS)
    assert is_deeper(json.loads(line)) is (levels > CLIENT_LEVELS)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
async def test_levels_are_counted_across_pieces(monkeypatch, size):
    monkeypatch.setattr(client_lines, "COUNTED_AT_ONCE", size)
    odd = json.dumps(['\\" [', "\\\\", '{"', "]"])
    for levels in (150, CLIENT_LEVELS, CLIENT_LEVELS + 1, 300):
        inside = nested(levels - 1)
        line = f"[{odd}, {inside}, {odd}, {nested(20)}]".encode()
        assert await client_lines.ahas_too_many_levels(line) is (levels > CLIENT_LEVELS)


@pytest.mark.parametrize(
    "value",
    ["[" * 500, "\\" * 3 + '"' + "[" * 500, ["{" * 300, '"[' * 300], [[]] * 500, {"\\": "[" * 300, '"': "{" * 300}],
)
def test_brackets_in_texts_and_siblings_do_not_count_as_levels(value):
    assert not has_too_many_levels(json.dumps(value).encode())
