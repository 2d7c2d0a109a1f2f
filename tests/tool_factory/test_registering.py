"""Tools registered on a real server, used by a real client."""

import inspect
import json
from typing import Annotated, Any

import pytest
from dependency_injector import providers
from mcp import Client
from mcp.server import MCPServer
from mcp_types import TextContent
from pydantic import Field

from coatcheck import Container, Settings, configure_mcp_server
from coatcheck.errors import ObjectNotFound, SettingsError
from coatcheck.object_store import ObjectStore
from coatcheck.tool_factory import MemoryType, Registry, ToolConfig, register_tools
from coatcheck.toolsets import Toolset

pytestmark = pytest.mark.anyio
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


def whoami(tenant: str, question: str, **more: Any) -> str:
    """Say who asks.

    Args:
        tenant: The tenant.
        question: The question.
    """
    return f"{tenant} asks {question} {more}"


async def awhoami(tenant: str, question: str = "nothing") -> str:
    """Say who asks."""
    return f"{tenant} asks {question}"


def numbers(count: int) -> list[int]:
    """Count."""
    return list(range(count))


def missing() -> str:
    """Miss."""
    raise ObjectNotFound("obj_gone")


REGISTRY: Registry = {
    "whoami": (whoami, ToolConfig(parameters={"tenant": lambda: "alice"})),
    "awhoami": (awhoami, ToolConfig(custom_args={"tenant": "alice"}, title="Who", annotations={"readOnlyHint": True})),
    "count_up": (numbers, ToolConfig(memory_type=MemoryType.BOTH)),
    "missing": (missing, ToolConfig()),
}


async def call(server: MCPServer, mode: Any, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    async with Client(server, mode=mode) as client:
        result = await client.call_tool(name, arguments)
    assert isinstance(result.content[0], TextContent)
    return bool(result.is_error), result.content[0].text


async def tool_names(server: MCPServer) -> list[str]:
    async with Client(server) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


@MODES
@pytest.mark.parametrize("name", ["whoami", "awhoami"])
@pytest.mark.parametrize("sent", [{"tenant": "bob"}, {"more": {"tenant": "bob"}}, {}])
async def test_a_client_that_names_a_hidden_parameter_changes_nothing(
    store: ObjectStore, mode: Any, name: str, sent: dict[str, Any]
) -> None:
    server = MCPServer("test")
    register_tools(server, REGISTRY, object_store=store)
    arguments = {"question": "why", "more": {}} | sent
    error, text = await call(server, mode, name, arguments)
    assert not error, text
    assert text.startswith("alice asks why")


@MODES
async def test_hidden_parameters_are_not_advertised(store: ObjectStore, mode: Any) -> None:
    server = MCPServer("test")
    register_tools(server, REGISTRY, object_store=store)
    async with Client(server, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name in ("whoami", "awhoami"):
        assert "tenant" not in json.dumps(tools[name].model_dump())
    assert tools["awhoami"].title == "Who"
    assert tools["awhoami"].annotations is not None
    assert tools["awhoami"].annotations.read_only_hint is True


@MODES
async def test_a_registered_tool_keeps_results_under_its_own_name(store: ObjectStore, mode: Any) -> None:
    server = MCPServer("test")
    assert register_tools(server, REGISTRY, ["count_up"], object_store=store) == ["count_up"]
    store.put({"n": 4000})
    error, text = await call(server, mode, "count_up", {"count": "@obj_001.n"})
    assert not error, text
    assert len(text) <= 4000
    assert store.get("obj_002") == list(range(4000))
    assert store.metadata("obj_002").tool == "count_up"


@MODES
async def test_expected_failures_of_a_tool_reach_the_model(mode: Any) -> None:
    server = MCPServer("test")
    register_tools(server, REGISTRY, {"missing"})
    error, text = await call(server, mode, "missing", {})
    assert error
    assert "@obj_gone" in text


async def test_only_the_selected_tools_are_registered_in_the_registry_s_order(store: ObjectStore) -> None:
    server = MCPServer("test")
    assert register_tools(server, REGISTRY, {"missing", "whoami"}, object_store=store) == ["whoami", "missing"]
    assert await tool_names(server) == ["whoami", "missing"]


async def test_unknown_names_are_refused_with_the_known_ones_before_anything_is_registered(store: ObjectStore) -> None:
    server = MCPServer("test")
    with pytest.raises(SettingsError, match=r"whoam\b.*Did you mean whoami\?.*awhoami, count_up, missing, whoami"):
        register_tools(server, REGISTRY, ["missing", "whoam"], object_store=store)
    assert await tool_names(server) == []


async def test_a_tool_that_cannot_be_built_leaves_the_server_unchanged() -> None:
    server = MCPServer("test")
    with pytest.raises(SettingsError, match=r"count_up\(\).*object_store"):
        register_tools(server, REGISTRY)
    assert await tool_names(server) == []


async def test_a_tool_that_the_server_refuses_leaves_it_unchanged() -> None:
    def private(_x: int) -> int:
        """Refused by the SDK for its parameter's name."""
        return _x

    server = MCPServer("test")
    with pytest.raises(Exception, match="_x"):
        register_tools(server, {"missing": REGISTRY["missing"], "private": (private, ToolConfig())})
    assert await tool_names(server) == []


async def test_unregistered_tools_are_not_mentioned() -> None:
    def load(name: Annotated[str, Field(description="A name; list_names shows them.")]) -> str:
        """Load one. save_it saves it; to see e.g. load_other, call list_names.

        list_names comes first.

        Loading is quick; list_names is not! And load is again.
        """
        raise ObjectNotFound("no", "list_names has them; load has not.")

    def others() -> str:
        """Exist."""
        return ""

    registry = {name: (others, ToolConfig()) for name in ("list_names", "save_it")} | {"load": (load, ToolConfig())}
    for chosen, description, parameter, hint in (
        (["load"], "Load one.\n\nLoading is quick. And load is again.", "A name.", "here. load has not. Call"),
        (
            list(registry),
            inspect.cleandoc(load.__doc__ or ""),
            "A name; list_names shows them.",
            "list_names has them;",
        ),
    ):
        server = MCPServer("test")
        register_tools(server, registry, chosen)
        async with Client(server) as client:
            tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "load")
            assert inspect.cleandoc(tool.description) == description
            assert tool.input_schema["properties"]["name"]["description"] == parameter
            assert hint in (await client.call_tool("load", {"name": "x"})).content[0].text


@pytest.mark.parametrize(
    ("registry", "given"),
    [
        ({"shout": str.upper}, r"\{'shout': \(function, ToolConfig\(…\)\)\}, and here is: method_descriptor"),
        ({"shout": (str.upper,)}, "and here is: tuple"),
        ({"shout": (str.upper, {})}, r"and here is: \(method_descriptor, dict\)"),
        (["shout"], "and here is: list"),
        ({5: (str.upper, ToolConfig())}, "and here is: int in place of a name"),
    ],
)
def test_a_malformed_registry_is_explained(registry: Any, given: str) -> None:
    with pytest.raises(SettingsError, match=f"a registry maps names to pairs.*{given}"):
        register_tools(MCPServer("mine"), registry)
    with pytest.raises(SettingsError, match="a registry maps names to pairs"):
        register_tools(MCPServer("mine"), registry, ["shout"])
    with pytest.raises(SettingsError, match="a registry maps names to pairs"):
        configure_mcp_server(MCPServer("mine"), toolsets=[Toolset("mine", lambda: registry)])
    container = Container(settings=Settings())
    container.tools.add_args(providers.Object(registry))
    with pytest.raises(SettingsError, match=f"a registry maps names to pairs.*{given}"):
        container.server()
