"""A server's own resources under the scheme of stored objects."""

import fastmcp
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from coatcheck.containers import Container
from coatcheck.server import attach
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("library", "connect"), [(MCPServer, Client), (fastmcp.FastMCP, fastmcp.Client)])
async def test_a_server_s_resource_under_our_scheme_stays_readable(library, connect):
    server = library("test")

    @server.resource("coatcheck://objects/readme")
    def readme() -> str:
        return "of the server"

    @server.resource("coatcheck://objects/obj_theirs")
    def server_resource() -> str:
        return "with an id"

    container = Container(settings=Settings())
    attach(server, container)
    object_id = container.store().put("of the store")

    async def read(name: str) -> str:
        result = await client.read_resource(f"coatcheck://objects/{name}")
        return getattr(result, "contents", result)[0].text

    async with connect(server) as client:
        names = ("readme", "obj_theirs", object_id)
        assert [await read(name) for name in names] == ["of the server", "with an id", "of the store"]
        with pytest.raises(MCPError, match="obj_otherwise"):
            await read("obj_otherwise")
