"""coatcheck behind coatcheck: the outermost one keeps the objects, the inner ones defer to it."""

import json

import anyio
import pytest
from mcp import Client

from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.wrap.running import QUIET, WRAP, wrap_on_stdio, wrapped_over_http

pytestmark = pytest.mark.anyio

ATTACHED = """
from mcp.server.mcpserver import MCPServer
from coatcheck import Container, attach
server = MCPServer("attached")

@server.tool()
def rows(count: int) -> list[dict]:
    return [{"number": number, "name": f"row {number}"} for number in range(count)]

@server.tool()
def size(values: list) -> int:
    return len(values)

@server.tool()
def same(value: str) -> str:
    return value

attach(server, Container())
server.run()
"""
PLAIN = [PYTHON, "-W", "ignore", "-c", ATTACHED.replace("attach(server, Container())", "")]

ATTACHED_COMMAND = [PYTHON, "-W", "ignore", "-c", ATTACHED]


async def assert_single_coatcheck(client) -> None:
    """Check that a large result is kept once, its reference works in the next call, and our tools are listed once."""
    names = [tool.name for tool in (await client.list_tools()).tools]
    own = [name for name in names if "object_store_get" in name]
    assert own == ["object_store_get"]
    prefix = next(name for name in names if name.endswith("rows")).removesuffix("rows")
    shown = text_of(await client.call_tool(f"{prefix}rows", {"count": 2_000}))
    assert len(shown) < 10_000
    sized = await client.call_tool(f"{prefix}size", {"values": reference_in(shown)})
    assert "2000" in text_of(sized)
    got = text_of(await client.call_tool("object_store_get", {"object_id": reference_in(shown), "path": "[1999].name"}))
    assert "row 1999" in got


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("server", "wraps"),
    [(PLAIN, 2), (ATTACHED_COMMAND, 1), (ATTACHED_COMMAND, 3)],
    ids=["plain-2", "attached-1", "attached-3"],
)
async def test_of_several_nested_coatchecks_one_does_the_work(mode, wraps, server):
    command = server
    for _ in range(wraps):
        command = [*WRAP, "--", *command]
    with anyio.fail_after(120):
        async with Client(wrap_on_stdio(*command[len(WRAP) :], **QUIET), mode=mode) as client:
            await assert_single_coatcheck(client)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_attached_fastmcp_server_defers_to_the_outer_coatcheck(mode):
    program = ATTACHED.replace("from mcp.server.mcpserver import MCPServer", "from fastmcp import FastMCP as MCPServer")
    command = [PYTHON, "-W", "ignore", "-c", program]
    with anyio.fail_after(120):
        async with Client(wrap_on_stdio("--", *command, **QUIET), mode=mode) as client:
            await assert_single_coatcheck(client)
            assert text_of(await client.call_tool("same", {"value": "@@obj_abc"})) == "@obj_abc"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("flags", [[], ["--stateless"]], ids=["sessions", "stateless"])
async def test_a_coatcheck_behind_a_url_defers_to_the_outer_one(mode, flags):
    with anyio.fail_after(120), wrapped_over_http(*flags, "--", *PLAIN) as (_process, url, _log):
        async with Client(wrap_on_stdio("--url", url), mode=mode) as client:
            await assert_single_coatcheck(client)
        async with Client(url, mode=mode) as client:  # without an outer coatcheck it works as usual
            await assert_single_coatcheck(client)


async def test_three_nested_coatchecks_over_http_with_a_shared_store_do_the_work_once_also_in_a_gateway(tmp_path):
    shared = {"COATCHECK_OBJECT_STORE_BACKEND": "sqlite", "COATCHECK_SQLITE_PATH": str(tmp_path / "objects.sqlite")}
    servers = tmp_path / "servers.json"
    with (
        anyio.fail_after(180),
        wrapped_over_http("--", *ATTACHED_COMMAND, **shared) as (_, inner, _),
        wrapped_over_http("--url", inner, **shared) as (_, middle, _),
    ):
        servers.write_text(json.dumps({"mcpServers": {"one": {"url": middle}, "other": {"url": inner}}}))
        for mode in ("auto", "legacy"):
            async with Client(wrap_on_stdio("--url", middle, **shared), mode=mode) as client:
                await assert_single_coatcheck(client)
            async with Client(wrap_on_stdio("--servers", str(servers), **shared), mode=mode) as client:
                await assert_single_coatcheck(client)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_gateway_does_the_work_for_wrapped_attached_and_plain_servers(mode, tmp_path):
    servers = tmp_path / "servers.json"
    commands = {"plain": PLAIN, "attached": ATTACHED_COMMAND, "wrapped": [*WRAP, "--", *PLAIN]}
    entries = {name: {"command": command[0], "args": command[1:]} for name, command in commands.items()}
    servers.write_text(json.dumps({"mcpServers": entries}))
    with anyio.fail_after(180):
        async with Client(wrap_on_stdio("--servers", str(servers)), mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert [name for name in names if "object_store_get" in name] == ["object_store_get"]
            for name in commands:
                shown = text_of(await client.call_tool(f"{name}__rows", {"count": 2_000}))
                for other in commands:
                    sized = await client.call_tool(f"{other}__size", {"values": reference_in(shown)})
                    assert "2000" in text_of(sized)


SERVE = [PYTHON, "-W", "ignore", "-m", "coatcheck", "serve"]


async def test_a_server_that_keeps_objects_itself_is_passed_through():
    with anyio.fail_after(120):
        async with Client(wrap_on_stdio("--", *SERVE), mode="legacy") as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert [name for name in names if name.endswith("object_store_get")] == ["object_store_get"]
            reference = reference_in(text_of(await client.call_tool("object_store_put", {"value": {"a": [1, 2, 3]}})))
            got = await client.call_tool("object_store_get", {"object_id": reference, "path": ".a[2]"})
            assert "3" in text_of(got)


async def test_in_a_gateway_a_server_that_keeps_objects_receives_its_own_ids(tmp_path):
    servers = tmp_path / "servers.json"
    entries = {name: {"command": each[0], "args": each[1:]} for name, each in {"keeper": SERVE, "plain": PLAIN}.items()}
    servers.write_text(json.dumps({"mcpServers": entries}))
    with anyio.fail_after(120):
        async with Client(wrap_on_stdio("--servers", str(servers)), mode="legacy") as client:
            put = text_of(await client.call_tool("keeper__object_store_put", {"value": {"a": [1, 2, 3]}}))
            reference = reference_in(put)
            got = await client.call_tool("keeper__object_store_get", {"object_id": reference, "path": ".a[2]"})
            assert not got.is_error, text_of(got)
            refused = await client.call_tool("plain__size", {"values": reference})
            assert refused.is_error
            assert "keeper__object_store_get" in text_of(refused)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("server", [ATTACHED_COMMAND, [*WRAP, "--", *PLAIN]], ids=["attached", "wrapped"])
async def test_a_reference_before_any_tools_list_keeps_the_names_of_our_tools(mode, server):
    """coatcheck lists the tools itself then: the server must defer to it in that list too."""
    with anyio.fail_after(120):
        async with Client(wrap_on_stdio("--", *server), mode=mode) as client:
            reference = reference_in(text_of(await client.call_tool("rows", {"count": 2_000})))
            assert "2000" in text_of(await client.call_tool("size", {"values": reference}))
            got = await client.call_tool("object_store_get", {"object_id": reference, "path": "[1999].name"})
            assert "row 1999" in text_of(got)
            await assert_single_coatcheck(client)


DECORATED = """
from mcp.server.mcpserver import MCPServer
from coatcheck import InMemoryBackend, ObjectStore, explorable_and_referenceable
server, store = MCPServer("decorated"), ObjectStore(InMemoryBackend())

@server.tool()
@explorable_and_referenceable(object_store=store)
def rows(count: int) -> list[dict]:
    return [{"number": number, "name": f"row {number}"} for number in range(count)]

@server.tool()
@explorable_and_referenceable(object_store=store)
def size(values: list) -> int:
    return len(values)

@server.tool()
@explorable_and_referenceable(object_store=store)
def same(value: str) -> str:
    return value

server.run()
"""


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_decorated_functions_receive_their_own_references(mode, tmp_path):
    """Decorated functions cannot announce themselves, because nothing is attached to the server."""
    servers = tmp_path / "servers.json"
    decorated = [PYTHON, "-W", "ignore", "-c", DECORATED]
    entries = {
        name: {"command": each[0], "args": each[1:]} for name, each in {"kept": decorated, "plain": PLAIN}.items()
    }
    servers.write_text(json.dumps({"mcpServers": entries}))
    with anyio.fail_after(120):
        for wrapped, prefix in (
            (wrap_on_stdio("--", *decorated), ""),
            (wrap_on_stdio("--servers", str(servers)), "kept__"),
        ):
            async with Client(wrapped, mode=mode) as client:
                reference = reference_in(text_of(await client.call_tool(f"{prefix}rows", {"count": 2_000})))
                assert "\n2000" in text_of(await client.call_tool(f"{prefix}size", {"values": reference}))
                template = {"value": f"a {{{{{reference}[5].name}}}} b", "_filter": "."}
                assert "a row 5 b" in text_of(await client.call_tool(f"{prefix}same", template))
                assert " @obj_abc" in text_of(await client.call_tool(f"{prefix}same", {"value": "@@obj_abc"}))
                missing = await client.call_tool(f"{prefix}size", {"values": "@obj_nowhere"})
                assert missing.is_error
                if prefix:
                    ours = reference_in(text_of(await client.call_tool("plain__rows", {"count": 3_000})))
                    assert "\n3000" in text_of(await client.call_tool("kept__size", {"values": ours}))
                    assert (await client.call_tool("plain__size", {"values": reference})).is_error
