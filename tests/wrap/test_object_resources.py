"""Stored objects as resources."""

import json

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.results import reference_in, text_of
from tests.wrap.running import FEATURES, HERE, wrap_on_stdio

pytestmark = pytest.mark.anyio
COMMAND = ["--", *FEATURES, "stdio"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_exact_original_is_read_as_a_resource(mode):
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*COMMAND), mode=mode) as client:
            reference = reference_in(text_of(await client.call_tool("text", {"size": 20_000})))
            read = (await client.read_resource(f"coatcheck://objects/{reference[1:]}")).contents[0]
            assert read.text == ("line of text\n" * 2_000)[:20_000]
            assert read.mime_type == "text/plain"
            reference = reference_in(text_of(await client.call_tool("picture", {"size": 1_500_000})))
            read = (await client.read_resource(f"coatcheck://objects/{reference[1:]}")).contents[0]
            assert read.mime_type == "application/json"
            assert json.loads(read.text)["content"][0]["mimeType"] == "image/png"
            with pytest.raises(MCPError, match="obj_nothing"):
                await client.read_resource("coatcheck://objects/obj_nothing")
            # The server's own resources still work.
            assert (await client.read_resource("demo://greeting")).contents[0].text == "Hello."


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_templates_of_stored_objects_are_listed_with_those_of_the_server(mode):
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*COMMAND), mode=mode) as client:
            templates = [entry.uri_template for entry in (await client.list_resource_templates()).resource_templates]
            assert templates == ["demo://people/{name}", "coatcheck://objects/{object_id}"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_resource_link_is_added_only_if_configured(mode):
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*COMMAND), mode=mode) as client:
            assert {block.type for block in (await client.call_tool("text", {"size": 20_000})).content} == {"text"}
        async with Client(wrap_on_stdio("--resource-links", *COMMAND), mode=mode) as client:
            content = (await client.call_tool("text", {"size": 20_000})).content
            assert [block.type for block in content] == ["text", "resource_link"]
            assert len((await client.read_resource(content[1].uri)).contents[0].text) == 20_000
            assert len((await client.call_tool("text", {"size": 20})).content) == 1


def test_a_server_without_resources_gets_the_capability_only_with_links(connect):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    from tests.wrap.running import WRAP

    special = ["--", FEATURES[0], str(HERE / "scripted_server.py")]
    plain = connect(command=[*WRAP, *special], wrapped=False)
    assert "resources" not in plain.ask("initialize", hello)["result"]["capabilities"]
    linked = connect(command=[*WRAP, "--resource-links", *special], wrapped=False)
    assert linked.ask("initialize", hello)["result"]["capabilities"]["resources"] == {}
    linked.call("text", size=13_000)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_attached_server_serves_stored_objects_as_resources_too(mode):
    from mcp.server import MCPServer

    from coatcheck.containers import Container
    from coatcheck.server import attach
    from coatcheck.settings import Settings

    server = MCPServer("own")

    @server.tool()
    def text() -> str:
        return "word " * 5_000

    attach(server, Container(settings=Settings()))
    async with Client(server, mode=mode) as client:
        reference = reference_in(text_of(await client.call_tool("text", {})))
        assert (await client.read_resource(f"coatcheck://objects/{reference[1:]}")).contents[0].text == "word " * 5_000
        with pytest.raises(MCPError, match="obj_nothing"):
            await client.read_resource("coatcheck://objects/obj_nothing")
