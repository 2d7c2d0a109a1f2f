import re
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer, Server

from coatcheck.backends import SQLiteBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable, SettingsError
from coatcheck.lifecycle import running
from coatcheck.server import attach, configure_mcp_server
from coatcheck.settings import Settings
from coatcheck.tool_factory import MemoryType, ToolConfig
from coatcheck.toolsets import Toolset

pytestmark = pytest.mark.anyio

OBJECT_TOOLS = {f"object_store_{name}" for name in ("get", "slice", "grep", "sed", "query", "put", "delete", "list")}


def total(rows: list[int]) -> dict[str, int]:
    """Add up."""
    return {"total": sum(rows)}


ADDING = Toolset("adding", lambda: {"total": (total, ToolConfig(memory_type=MemoryType.BOTH))})


async def names(server: MCPServer[Any]) -> set[str]:
    return {tool.name for tool in await server.list_tools()}


async def test_the_plans_parameters_configure_a_server_in_memory(mode):
    server: MCPServer[Any] = MCPServer("planned")
    container = configure_mcp_server(server, None, object_store_backend="memory", redis_url=None, object_store_ttl=7.5)
    assert await names(server) == OBJECT_TOOLS
    assert container.store().ttl == 7.5
    async with Client(server, mode=mode) as client:
        stored = (await client.call_tool("object_store_put", {"value": [1, 2, 3]})).content[0].text
        reference = re.search(r"@obj_\w+", stored).group()
        nested = (await client.call_tool("object_store_put", {"value": {"part": f"{reference}[1:]"}})).content[0].text
        assert container.store().fetch(nested.split("@")[1].rstrip(".")) == {"part": [2, 3]}


async def test_settings_default_to_the_environment_and_the_file(monkeypatch, tmp_path):
    (tmp_path / "settings.toml").write_text("object_store_ttl = 11\npreview_limit = 900\n")
    monkeypatch.setenv("COATCHECK_CONFIG", str(tmp_path / "settings.toml"))
    container = configure_mcp_server(MCPServer("x"), None)
    assert (container.store().ttl, container.explorer().preview_limit) == (11, 900)
    monkeypatch.setenv("DEEPSET_OBJECT_STORE_TTL", "12")
    assert configure_mcp_server(MCPServer("x")).store().ttl == 12
    monkeypatch.setenv("COATCHECK_OBJECT_STORE_BACKEND", "sqlite")
    monkeypatch.setenv("COATCHECK_SQLITE_PATH", str(tmp_path / "o.sqlite"))
    container = configure_mcp_server(MCPServer("x"), object_store_ttl=13)
    assert isinstance(container.backend(), SQLiteBackend)
    assert container.store().ttl == 13
    container.store().close()


async def test_settings_together_with_a_container_are_an_error(container):
    server: MCPServer[Any] = MCPServer("x")
    with pytest.raises(SettingsError, match="A container was given, which has settings of its own, and object_store_t"):
        configure_mcp_server(server, object_store_ttl=5, container=container)
    assert await names(server) == set()


async def test_the_plans_parameters_configure_a_server_over_redis(redis_server, mode):
    server: MCPServer[Any] = MCPServer("planned")
    container = configure_mcp_server(server, object_store_backend="redis", redis_url=redis_server.url)
    async with running(container), Client(server, mode=mode) as client:
        stored = (await client.call_tool("object_store_put", {"value": "in redis"})).content[0].text
        object_id = re.search(r"obj_[\w-]+", stored).group()
        other = Container(settings=Settings(object_store_backend="redis", redis_url=redis_server.url))
        assert other.store().get(object_id) == "in redis"
        other.store().close()


async def test_an_unreachable_redis_is_an_error_without_the_password():
    with pytest.raises(ObjectStoreUnavailable, match="127.0.0.1:1") as caught:
        configure_mcp_server(MCPServer("x"), object_store_backend="redis", redis_url="redis://:hunter2@127.0.0.1:1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"object_store_backend": "memroy"},
            r"there is no backend of this name; there are: memory, redis, sqlite \(did you mean memory",
        ),
        ({"object_store_backend": "redis"}, "needs a URL"),
        ({"tools_to_register": ["object_store_gte"]}, "object_store_get"),
        ({"toolsets": ["nowhere"]}, "There is no toolset nowhere"),
        ({"toolsets": [ADDING, ADDING]}, "names are taken: total"),
        ({"toolsets": "nowhere"}, "There is no toolset nowhere"),
        ({"toolsets": [print]}, "an Installation is expected, not builtin_function_or_method"),
        (
            {"toolsets": ADDING, "toolset_options": {"ading": {}}},
            "toolset_options has settings for ading, and the toolsets are: adding",
        ),
        ({"toolset_options": {"ading": {}}}, "and the toolsets are: none"),
    ],
)
async def test_invalid_arguments_are_refused_before_anything_is_registered(arguments, expected):
    server: MCPServer[Any] = MCPServer("x")
    with pytest.raises(SettingsError, match=expected):
        configure_mcp_server(server, **arguments)
    assert await names(server) == set()


async def test_the_error_for_another_kind_of_server_says_what_to_use():
    with pytest.raises(SettingsError, match=r"not mcp\.server\.lowlevel\.server\.Server\. For FastMCP: register_tools"):
        configure_mcp_server(Server("low"))


async def test_the_selected_tools_of_toolsets_are_registered(container, mode):
    server: MCPServer[Any] = MCPServer("x")
    configure_mcp_server(server, ["total", "object_store_get"], toolsets=[ADDING], container=container)
    assert await names(server) == {"total", "object_store_get"}
    async with Client(server, mode=mode) as client:
        answer = (await client.call_tool("total", {"rows": [1, 2]})).content[0].text
        reference = re.search(r"@obj_\w+", answer).group()
        again = await client.call_tool("total", {"rows": [f"{reference}.total", 4]})
        assert '"total":7' in again.content[0].text


async def test_a_container_is_used_in_a_server_s_lifespan(redis_server, mode):
    container = Container(settings=Settings(object_store_backend="redis", redis_url=redis_server.url))
    server: MCPServer[Any] = MCPServer("x", lifespan=lambda _: running(container))

    @server.tool()
    def many() -> str:
        """Return many numbers."""
        return "x" * 50_000

    attach(server, container)
    async with Client(server, mode=mode) as client:
        answer = (await client.call_tool("many", {})).content[0].text
        assert "@obj_" in answer
        closed: list[str] = []
        container.exit_stack().callback(closed.append, "closed")
    assert closed == ["closed"]


async def test_the_containers_own_server_has_the_tools(container, mode):
    async with Client(container.server(), mode=mode) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == OBJECT_TOOLS
    assert container.server() is container.server()
