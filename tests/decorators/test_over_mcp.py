"""Decorated functions as tools of a real server, called by a real client, with both protocols."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import TextContent
from pydantic import BaseModel, Field

from coatcheck.arguments.input_schemas import REFERENCE, advertise_references
from coatcheck.decorators import explorable, explorable_and_referenceable, referenceable
from coatcheck.object_store import ObjectStore

pytestmark = pytest.mark.anyio
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


class Filter(BaseModel):
    name: str = "any"
    tags: list[str] = []
    limit: int = 10


def describe(
    rows: list[int],
    where: Filter,
    note: str | None = None,
    text: str = "",
    limit: Annotated[int, Field(ge=1, description="How many.")] = 5,
    level: int = Field(default=2, ge=0, description="How deep."),
    order: Literal["up", "down"] = "up",
    extra: dict[str, Any] | None = None,
    anything: Any = None,
    page: Annotated[int, Field(default=3, ge=1)] = 4,
) -> str:
    """Describe the arguments."""
    return repr([rows, where, note, text, limit, level, order, extra, anything, page])


@wraps(describe)
async def adescribe(*args: Any, **kwargs: Any) -> str:
    return describe(*args, **kwargs)


FUNCTIONS = pytest.mark.parametrize("func", [describe, adescribe], ids=["sync", "async"])


async def call(client: Client, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    result = await client.call_tool(name, arguments)
    assert isinstance(result.content[0], TextContent)
    return bool(result.is_error), result.content[0].text


def serve(store: ObjectStore, func: Callable[..., Any]) -> MCPServer:
    server = MCPServer("test")
    server.add_tool(referenceable(object_store=store)(func), name="decorated")
    server.add_tool(func, name="bare")
    return server


@MODES
@FUNCTIONS
async def test_references_reach_the_function_as_values(store: ObjectStore, func: Any, mode: Any) -> None:
    store.put({"n": [1, 2], "tags": ["x", "y"], "text": '{"a": 1}', "order": "down"})
    with_references = {
        "rows": ["@obj_001.n[0]", 2],
        "where": {"name": "@@obj_001", "tags": "@obj_001.tags", "limit": "@obj_001.n[1]"},
        "note": "@obj_001.text",
        "text": "@alice",
        "limit": "@obj_001.n[1]",
        "level": "@obj_001.n[0]",
        "order": "@obj_001.order",
        "extra": {"deep": [{"x": "@obj_001.n"}]},
        "anything": "@obj_001.n",
    }
    async with Client(serve(store, func), mode=mode) as client:
        error, text = await call(client, "decorated", with_references)
    assert not error, text
    where = Filter(name="@obj_001", tags=["x", "y"], limit=2)
    assert text == repr([[1, 2], where, '{"a": 1}', "@alice", 2, 1, "down", {"deep": [{"x": [1, 2]}]}, [1, 2], 4])


@MODES
@FUNCTIONS
@pytest.mark.parametrize(
    "arguments",
    [
        {"rows": [1], "where": {}},
        {"rows": "[1, 2]", "where": '{"name": "x"}', "limit": "7"},
        {"rows": ["1"], "where": {"tags": ["t"]}, "note": None, "extra": {"a": None}, "anything": "[1]"},
        {"rows": [], "where": {}, "text": '{"json": true}', "extra": '{"a": 1}', "level": 0, "anything": "5"},
        {"rows": [1], "where": {}, "unknown": 1},
    ],
)
async def test_arguments_without_references_arrive_as_at_the_undecorated_function(
    store: ObjectStore, func: Any, mode: Any, arguments: dict[str, Any]
) -> None:
    async with Client(serve(store, func), mode=mode) as client:
        bare = await call(client, "bare", arguments)
        assert not bare[0], bare[1]
        assert await call(client, "decorated", arguments) == bare


@MODES
async def test_json_text_for_optional_text_arrives_as_sent(store: ObjectStore, mode: Any) -> None:
    async with Client(serve(store, describe), mode=mode) as client:
        error, text = await call(client, "decorated", {"rows": [1], "where": {}, "note": '{"a":  1}'})
    assert not error
    assert """'{"a":  1}'""" in text


@MODES
@FUNCTIONS
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": "@obj_404", "where": {}}, "@obj_404"),
        ({"rows": [1], "where": {"tags": ["@obj_001.nothing"]}}, "nothing"),
        ({"rows": "@obj_001.text", "where": {}}, 'The parameter "rows" takes array'),
        ({"rows": "many", "where": {}}, 'Argument "rows" does not fit list[int]'),
        ({"rows": ["x"], "where": {}}, 'Argument "rows" does not fit list[int]: at [0]'),
        ({"rows": [1], "where": {}, "limit": 0}, 'Argument "limit" does not fit int'),
        ({"rows": [1], "where": {}, "level": -1}, 'Argument "level" does not fit int'),
        ({"rows": [1], "where": {}, "order": "@obj_001.text"}, 'Argument "order"'),
    ],
)
async def test_invalid_values_are_clear_errors_for_the_model(
    store: ObjectStore, func: Any, mode: Any, arguments: dict[str, Any], message: str
) -> None:
    store.put({"text": "words"})
    async with Client(serve(store, func), mode=mode) as client:
        error, text = await call(client, "decorated", arguments)
    assert error
    assert message in text
    assert len(text) < 1000


async def test_references_are_advertised_where_useful_and_the_rest_of_the_schema_is_unchanged(
    store: ObjectStore,
) -> None:
    async with Client(serve(store, describe)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema, bare = tools["decorated"].input_schema, tools["bare"].input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    good: list[dict[str, Any]] = [
        {"rows": [1], "where": {"tags": ["a"]}},
        {"rows": "@obj_001", "where": "@obj_001.filter", "extra": "@obj_001", "anything": "@obj_001"},
    ]
    for arguments in good:
        check.validate(arguments)
    bad: list[dict[str, Any]] = [
        {"where": {}},
        {"rows": 7, "where": {}},
        {"rows": ["x"], "where": {}},
        {"rows": [1], "where": {}, "limit": 0},
        {"rows": [1], "where": {"limit": "x"}},
        {"rows": [1], "where": {}, "order": "sideways"},
    ]
    for arguments in bad:
        assert not check.is_valid(arguments), arguments
    assert schema["required"] == bare["required"] == ["rows", "where"]
    advertised = {name for name, shown in schema["properties"].items() if REFERENCE in shown.get("anyOf", ())}
    assert advertised == {"rows", "where", "extra", "anything"}
    for name in bare["properties"].keys() - advertised:
        assert schema["properties"][name] == bare["properties"][name]
    assert advertise_references(bare) == schema


@MODES
async def test_the_sdks_context_still_arrives_and_is_not_advertised(store: ObjectStore, mode: Any) -> None:
    def tool(x: list[int], ctx: Context) -> str:
        """Use the context."""
        return f"{type(ctx).__name__} {x}"

    store.put([3])
    server = MCPServer("test")
    decorated = explorable_and_referenceable(object_store=store)(tool)
    assert decorated.__annotations__["ctx"] is Context
    server.add_tool(decorated)
    async with Client(server, mode=mode) as client:
        listed = (await client.list_tools()).tools[0]
        assert list(listed.input_schema["properties"]) == ["x"]
        error, text = await call(client, "tool", {"x": "@obj_001"})
    assert not error
    assert "Context [3]" in text


@MODES
async def test_parameters_that_the_sdk_resolves_are_not_touched(store: ObjectStore, mode: Any) -> None:
    from mcp.server.mcpserver.resolve import Resolve

    def who() -> str:
        return "@obj_404"

    def tool(x: int, user: Annotated[str, Resolve(who)]) -> str:
        """Use a resolver."""
        return f"{x} {user}"

    server = MCPServer("test")
    server.add_tool(referenceable(object_store=store)(tool))
    async with Client(server, mode=mode) as client:
        listed = (await client.list_tools()).tools[0]
        assert list(listed.input_schema["properties"]) == ["x"]
        assert await call(client, "tool", {"x": 1, "user": "other"}) == (False, "1 @obj_404")


@MODES
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_explorable_tool_returns_a_preview_and_has_a_matching_output_schema(
    store: ObjectStore, mode: Any, kind: str
) -> None:
    def rows(count: int) -> list[dict[str, int]]:
        """Return rows."""
        return [{"id": n} for n in range(count)]

    async def arows(count: int) -> list[dict[str, int]]:
        """Return rows."""
        return rows(count)

    server = MCPServer("test")
    server.add_tool(explorable(object_store=store)(rows if kind == "sync" else arows), name="rows")
    async with Client(server, mode=mode) as client:
        listed = (await client.list_tools()).tools[0]
        result = await client.call_tool("rows", {"count": 3000})
    assert isinstance(result.content[0], TextContent)
    assert "@obj_001" in result.content[0].text
    assert len(result.content[0].text) <= 4000
    assert listed.output_schema is not None
    jsonschema.validate(result.structured_content, listed.output_schema)
    assert len(store.get("obj_001") or ()) == 3000


@MODES
async def test_a_failing_explorable_tool_reveals_no_internals_to_the_model(store: ObjectStore, mode: Any) -> None:
    def fails() -> str:
        """Fail."""
        raise RuntimeError("password=hunter2")

    server = MCPServer("test")
    server.add_tool(explorable(object_store=store)(fails))
    async with Client(server, mode=mode) as client:
        error, text = await call(client, "fails", {})
    assert error
    assert "hunter2" not in text


async def test_recursive_models_can_be_advertised(store: ObjectStore) -> None:
    server = MCPServer("test")
    server.add_tool(referenceable(object_store=store)(grow))
    store.put([{"name": "leaf"}])
    async with Client(server) as client:
        schema = (await client.list_tools()).tools[0].input_schema
        jsonschema.validate({"tree": "@obj_001[0]", "others": [{"name": "x", "children": [{"name": "y"}]}]}, schema)
        arguments = {"tree": {"name": "root", "children": "@obj_001"}, "others": ["@obj_001[0]"]}
        error, text = await call(client, "grow", arguments)
    assert not error, text
    assert text == "root leaf leaf"
    assert advertise_references(schema) == schema


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = []


def grow(tree: Tree, others: list[Tree]) -> str:
    """Name the trees."""
    return " ".join([tree.name, *(child.name for child in tree.children), *(other.name for other in others)])


async def test_a_default_inside_the_annotation_stays_a_default(store: ObjectStore) -> None:
    def tool(page: Annotated[int, Field(default=3, ge=1, description="The page.")], size: int) -> str:
        """Show a page."""
        return f"{page} {size}"

    async with Client(serve(store, tool)) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        assert tools["decorated"]["required"] == tools["bare"]["required"] == ["size"]
        assert await call(client, "decorated", {"size": 1}) == await call(client, "bare", {"size": 1}) == (False, "3 1")
        error, text = await call(client, "decorated", {"size": 1, "page": 0})
    assert error
    assert "greater than or equal to 1" in text
