"""The object tools of a server accept arguments in the forms that models write."""

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp_types import TextContent

from coatcheck.containers import Container
from coatcheck.server import attach
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio


def served(kind: str, container: Container) -> MCPServer:
    if kind == "serve":
        return container.server()
    server = MCPServer("host")
    attach(server, container)
    return server


@pytest.mark.parametrize("kind", ["serve", "attach"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_null_is_the_default_and_an_unknown_argument_is_refused_with_the_known_ones(kind, mode):
    container = Container(settings=Settings())
    reference = f"@{container.store().put({'rows': [1, 2]})}"
    async with Client(served(kind, container), mode=mode) as client:
        for arguments in ({"path": None}, {"path": None, "raw": None, "start": None}):
            result = await client.call_tool("object_store_get", {"object_id": reference, **arguments})
            assert isinstance(result.content[0], TextContent)
            assert result.content[0].text == '{"rows":[1,2]}'
        refused = await client.call_tool("object_store_get", {"object_id": reference, "pth": ".rows"})
        assert refused.is_error
        assert isinstance(refused.content[0], TextContent)
        assert 'no argument "pth". Did you mean path?' in refused.content[0].text
        assert "object_id, path (optional)" in refused.content[0].text
