"""A server's own resources under the scheme of stored objects."""

import pytest
from mcp import Client
from mcp.server import MCPServer

from coatcheck.containers import Container
from coatcheck.server import attach
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_servers_own_resource_under_our_scheme_stays_reachable():
    server = MCPServer("test")

    @server.resource("coatcheck://objects/readme")
    def readme() -> str:
        return "of the server"

    container = Container(settings=Settings())
    attach(server, container)
    object_id = container.store().put("of the store")
    async with Client(server) as client:
        own = await client.read_resource("coatcheck://objects/readme")
        stored = await client.read_resource(f"coatcheck://objects/{object_id}")
    assert (own.contents[0].text, stored.contents[0].text) == ("of the server", "of the store")
