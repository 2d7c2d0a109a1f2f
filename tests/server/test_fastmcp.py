"""FastMCP 4: its client receives identical small results, `.data` in both cases, and all composed parts."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2
import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server import create_proxy
from fastmcp.tools import Tool, ToolResult
from mcp.server.mcpserver import Context as SdkContext
from mcp_types import ElicitRequest, ElicitRequestFormParams, Implementation, InputRequiredResult, ResourceLink
from pydantic import BaseModel

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound, SettingsError
from coatcheck.lifecycle import overridden
from coatcheck.server import CoatcheckMiddleware, attach
from coatcheck.settings import Settings
from coatcheck.tool_factory import MemoryType, ToolConfig, inject, register_tools
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio


STAMP = "io.modelcontextprotocol/serverInfo"
"""The name of the server, in every result."""


class Row(BaseModel):
    number: int
    name: str


@dataclass
class Table:
    rows: list[Row]


@dataclass
class Dated:
    number: int
    day: date


def add_mappings(server: FastMCP[Any]) -> None:
    @server.tool
    def untyped(count: int) -> dict[str, Any]:
        """Return a mapping."""
        return {f"key {n}": n for n in range(count)}

    @server.tool
    def by_name(count: int) -> dict[str, Dated]:
        """Return dated records by name."""
        return {f"name {n}": Dated(n, date(2025, 1, 2)) for n in range(count)}


def third_party_server(name: str = "third-party") -> FastMCP[Any]:
    server: FastMCP[Any] = FastMCP(name)

    @server.tool
    def rows(count: int) -> list[Row]:
        """Return rows."""
        return [Row(number=n, name=f"name {n}") for n in range(count)]

    @server.tool
    def table(count: int) -> Table:
        """Return a table."""
        return Table([Row(number=n, name=f"name {n}") for n in range(count)])

    add_mappings(server)

    @server.tool
    def text(count: int) -> str:
        """Return text."""
        return "word " * count

    @server.tool
    async def total(rows: list[Row], bonus: int = 0) -> int:
        """Add numbers."""
        return sum(row.number for row in rows) + bonus

    @server.tool
    def fail(count: int) -> str:
        """Fail."""
        raise ToolError("first " + "x" * count + " last")

    @server.tool
    async def steps(ctx: Context) -> str:
        """Report progress and elicit input."""
        await ctx.report_progress(1, 2)
        return "done"

    @server.resource("data://notes")
    def notes() -> str:
        """Return notes."""
        return "the notes"

    @server.prompt
    def ask() -> str:
        """Ask."""
        return "a question"

    return server


def attached(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    attach(server, container)
    return server


def with_middleware(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    server.add_middleware(CoatcheckMiddleware(container))
    return server


def mounted(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    parent: FastMCP[Any] = FastMCP("parent")
    parent.mount(server)
    return attached(parent, container)


def mounted_with_middleware(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    parent: FastMCP[Any] = FastMCP("parent")
    parent.mount(with_middleware(server, container))
    return parent


def mounted_with_middleware_on_both(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    parent: FastMCP[Any] = FastMCP("parent")
    parent.mount(with_middleware(server, Container(settings=Settings())))
    return with_middleware(parent, container)


def proxied(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    return attached(create_proxy(server), container)


WAYS = [attached, with_middleware, mounted, mounted_with_middleware, mounted_with_middleware_on_both, proxied]


# `attach` adds the middleware too, and with the middleware on both servers, the inner one works as alone.
IN_PART = {with_middleware, mounted_with_middleware}


@pytest.fixture(params=[pytest.param(way, marks=pytest.mark.long if way in IN_PART else ()) for way in WAYS])
def server(request: pytest.FixtureRequest, container: Container) -> FastMCP[Any]:
    return request.param(third_party_server(), container)


async def test_small_results_are_the_same_as_without_coatcheck(server, container):
    async with Client(third_party_server()) as direct, Client(server) as through:
        for name in ("rows", "table", "untyped", "by_name", "text"):
            expected = await direct.call_tool(name, {"count": 3})
            actual = await through.call_tool(name, {"count": 3})
            assert actual.content == expected.content
            assert actual.structured_content == expected.structured_content
            assert {**(actual.meta or {}), STAMP: None} == {**(expected.meta or {}), STAMP: None}
            # The class that the client generates from the schema has one more field; the others are the same.
            assert repr(actual.data).replace(", field_stored=None", "") == repr(expected.data)
        with pytest.raises(ToolError) as expected_error:
            await direct.call_tool("fail", {"count": 3})
        with pytest.raises(ToolError) as actual_error:
            await through.call_tool("fail", {"count": 3})
        assert str(actual_error.value) == str(expected_error.value)
    assert container.store().list() == []


@pytest.mark.parametrize("name", ["rows", "table", "untyped", "by_name", "text"])
async def test_a_large_result_is_a_preview_and_its_data_is_not_an_error(server, container, name, caplog):
    async with Client(server) as client:
        await client.list_tools()
        result = await client.call_tool(name, {"count": 4000})
        assert len(text_of(result)) <= 4000
        reference = reference_in(text_of(result))
        if result.structured_content is not None:
            assert result.structured_content["$stored"]["reference"] == reference
        assert "Error parsing structured content" not in caplog.text
        assert len(container.store().list()) == 1


async def test_another_tool_accepts_a_reference(server):
    async with Client(server) as client:
        reference = reference_in(text_of(await client.call_tool("rows", {"count": 2000})))
        assert (await client.call_tool("total", {"rows": reference})).data == sum(range(2000))
        assert (await client.call_tool("total", {"rows": f"{reference}[10:12]", "bonus": 1})).data == 22
        with pytest.raises(ToolError, match="not found"):
            await client.call_tool("total", {"rows": "@obj_nothing"})


async def test_the_object_tools_answer_only_as_text(server):
    async with Client(server) as client:
        names = {tool.name for tool in await client.list_tools()}
        assert {"rows", "object_store_get", "object_store_put"} <= names
        reference = reference_in(text_of(await client.call_tool("rows", {"count": 2000})))
        answer = await client.call_tool("object_store_get", {"object_id": reference, "path": "[5].name"})
        assert text_of(answer) == "name 5"
        assert answer.structured_content is None
        stored = await client.call_tool("object_store_put", {"value": {"part": f"{reference}[7].number"}})
        again = await client.call_tool("object_store_get", {"object_id": reference_in(text_of(stored)), "path": "part"})
        assert text_of(again) == "7"


async def test_objects_for_a_filter_may_be_json_text(server):
    async with Client(server) as client:
        reference = reference_in(text_of(await client.call_tool("object_store_put", {"value": [1, 2]})))
        for written, found in (("{}", "1"), (f'{{"b": "{reference}"}}', "1")):
            call = {"object_id": reference, "filter": ".[0]", "with": written}
            assert text_of(await client.call_tool("object_store_query", call)) == found


async def test_a_long_error_is_kept_and_stays_an_error(server, container):
    async with Client(server) as client:
        result = await client.call_tool("fail", {"count": 20_000}, raise_on_error=False)
    assert result.is_error
    assert len(text_of(result)) < 4100
    assert "x" * 20_000 in container.explorer().resolve(reference_in(text_of(result)), as_text=True)


async def test_a_long_error_about_rejected_arguments_is_kept(server):
    async with Client(server) as client:
        rejected = await client.call_tool("total", {"rows": [{"odd": 1}] * 1000}, raise_on_error=False)
        assert rejected.is_error
        assert len(text_of(rejected)) < 8000
        assert reference_in(text_of(rejected))


async def test_the_arguments_of_the_object_tools_are_normalized(server):
    async with Client(server) as client:
        tools = [tool.name for tool in await client.list_tools()]
        (get,) = [name for name in tools if name.endswith("object_store_get")]
        unknown = await client.call_tool(get, {"object_id": "@obj_a", "x" * 100_000: 1}, raise_on_error=False)
        assert unknown.is_error
        assert text_of(unknown).startswith("There is no argument")
        assert len(text_of(unknown)) < 1000


async def test_resources_prompts_and_progress_pass(server):
    seen: list[float] = []

    async def progress(now: float, total: float | None, message: str | None) -> None:
        seen.append(now)

    async with Client(server) as client:
        assert (await client.read_resource("data://notes"))[0].text == "the notes"
        assert (await client.get_prompt("ask")).messages[0].content.text == "a question"
        assert (await client.call_tool("steps", {}, progress_handler=progress)).data == "done"
        assert seen == [1.0]


@pytest.mark.parametrize("make", [attached, with_middleware, mounted])
async def test_no_block_of_a_result_contains_a_lone_surrogate(make, container):
    third_party = third_party_server()
    link = ResourceLink(type="resource_link", uri="file:///cut-\ud83d", name="cut \ud83d here")

    @third_party.tool
    def linked() -> ToolResult:
        """Return a link."""
        return ToolResult(content=[link], meta={"note": "cut \ud83d here"})

    async with Client(make(third_party, container)) as client:
        result = await client.call_tool("linked", {})
        assert result.content == [link.model_copy(update={"uri": "file:///cut-\ufffd", "name": "cut \ufffd here"})]
        assert result.meta["note"] == "cut \ufffd here"


@pytest.mark.parametrize("make", [way for way in WAYS if way is not mounted_with_middleware])
async def test_a_stored_object_is_a_resource(make, container):
    server = make(third_party_server(), container)
    object_id = container.store().put({"a": 1})
    async with Client(server) as client:
        read = await client.read_resource(f"coatcheck://objects/{object_id}")
        assert read[0].text.replace(" ", "").replace("\n", "") == '{"a":1}'


async def test_an_override_applies(server, container):
    backend = InMemoryBackend()
    async with Client(server) as client:
        with overridden(container, backend=backend, settings=Settings(inline_limit=100, preview_limit=500)):
            result = await client.call_tool("text", {"count": 300})
            assert len(text_of(result)) <= 500
            reference_in(text_of(result))
        assert len(text_of(await client.call_tool("text", {"count": 300}))) == 1500
    assert backend.statistics().objects == 1


async def test_tools_of_an_openapi_description_are_covered(container):
    description = {
        "openapi": "3.1.0",
        "info": {"title": "Rows", "version": "1"},
        "paths": {
            "/rows": {
                "get": {
                    "operationId": "get_rows",
                    "responses": {
                        "200": {
                            "description": "Rows",
                            "content": {
                                "application/json": {
                                    "schema": {"type": "object", "properties": {"rows": {"type": "array", "items": {}}}}
                                }
                            },
                        }
                    },
                }
            }
        },
    }

    def answer(request: Any) -> Any:
        return httpx2.Response(200, json={"rows": list(range(9000))})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://rows.test") as http:
        server = attached(FastMCP.from_openapi(description, http), container)
        async with Client(server) as client:
            reference = reference_in(text_of(await client.call_tool("get_rows", {})))
    assert container.explorer().resolve(f"{reference}.rows[8999]") == 8999


async def test_tools_added_later_and_decorated_tools_are_covered(container):
    server = attached(FastMCP("late"), container)

    @server.tool
    def late(count: int) -> str:
        """Be added later."""
        return "word " * count

    @server.tool
    @container.explorable_and_referenceable()
    def double(numbers: list[int]) -> list[int]:
        """Double."""
        return [2 * number for number in numbers]

    secret = container.store().put("secret")
    referrer = container.store().put([f"@{secret}"])

    @server.tool
    @container.referenceable()
    def echo(value: str) -> str:
        """Return it."""
        return value

    async with Client(server) as client:
        reference_in(text_of(await client.call_tool("late", {"count": 5000})))
        preview = await client.call_tool("double", {"numbers": [1, 2]})
        assert "array of 2 items" in text_of(preview)
        assert text_of(await client.call_tool("echo", {"value": f"@{referrer}[0]"})) == f"@{secret}"


async def test_tools_are_registered_and_hidden_parameters_stay_hidden(container):
    server: FastMCP[Any] = FastMCP("registered")

    def count(title: str, *, store: Any) -> str:
        """Count."""
        return f"{title}: {len(store.list())}"

    def numbers(size: int) -> list[int]:
        """Return numbers."""
        return list(range(size))

    async def steps(size: int, ctx: SdkContext[Any, Any] | None = None) -> str:
        """Report progress with either library."""
        assert ctx is not None
        await ctx.report_progress(1, size, "half")
        return "done"

    registry = {
        "steps": (steps, ToolConfig()),
        "count": (count, ToolConfig(parameters={"store": container.store}, title="Count objects")),
        "numbers": (numbers, ToolConfig(memory_type=MemoryType.BOTH, annotations={"readOnlyHint": True})),
    }
    assert register_tools(server, registry, object_store=container.store) == ["steps", "count", "numbers"]

    @server.tool
    @inject(store=container.store)
    def again(title: str, *, store: Any) -> str:
        """Count again."""
        return f"{title}: {len(store.list())}"

    async with Client(server) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert list(tools["count"].input_schema["properties"]) == ["title"]
        assert list(tools["steps"].input_schema["properties"]) == ["size"]
        messages: list[str | None] = []

        async def progress(now: float, total: float | None, message: str | None) -> None:
            messages.append(message)

        assert text_of(await client.call_tool("steps", {"size": 2}, progress_handler=progress)) == "done"
        assert messages == ["half"]
        assert tools["count"].title == "Count objects"
        assert tools["numbers"].annotations.read_only_hint
        assert list(tools["again"].input_schema["properties"]) == ["title"]
        assert "array of 3 items" in text_of(await client.call_tool("numbers", {"size": 3}))
        assert text_of(await client.call_tool("again", {"title": "t"})) == "t: 1"


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize("decorated", [False, True])
async def test_references_are_resolved_once(make, decorated, container):
    """Resolving twice would lose an escape, and resolve a stored text that looks like a reference."""
    if decorated and make is proxied:
        pytest.skip("tools behind a proxy are not visible")
    server: FastMCP[Any] = FastMCP("echoing")

    def echo(value: str) -> str:
        """Return it."""
        return value

    server.tool(container.referenceable()(echo) if decorated else echo)
    server.add_tool(Tool.from_tool(await server.get_tool("echo"), name="renamed"))
    secret = container.store().put("secret")
    referrer = container.store().put([f"@{secret}"])
    async with Client(make(server, container)) as client:
        for name in ("echo", "renamed"):
            assert text_of(await client.call_tool(name, {"value": "@@obj_abc"})) == "@obj_abc"
            assert text_of(await client.call_tool(name, {"value": f"@{referrer}[0]"})) == f"@{secret}"


@pytest.mark.parametrize("inner", [None, "same", "other"])
async def test_below_a_namespace_only_the_outer_server_has_object_tools(container, inner):
    server, parent = third_party_server(), FastMCP("parent")
    if inner:
        attach(server, container if inner == "same" else Container(settings=Settings()))
    parent.mount(server, namespace="ns")
    attach(parent, container)
    async with Client(parent) as client:
        names = {tool.name for tool in await client.list_tools()}
        assert [name for name in sorted(names) if name.endswith("object_store_get")] == ["object_store_get"]
        reference = reference_in(text_of(await client.call_tool("ns_rows", {"count": 2000})))
        assert (await client.call_tool("ns_total", {"rows": f"{reference}[10:12]"})).data == 21
    assert len(container.store().list()) == 1


@pytest.mark.parametrize("namespaces", [["ns"], ["inner", "outer"]])
@pytest.mark.parametrize("prefix", ["object_store_", "", "kept_"])
async def test_suggestions_of_a_mounted_server_use_the_names_of_the_outer_server(namespaces, prefix):
    server = attached(third_party_server(), Container(settings=Settings(tool_prefix=prefix)))
    for namespace in namespaces:
        parent: FastMCP[Any] = FastMCP("parent")
        parent.mount(server, namespace=namespace)
        server = parent
    whole = "_".join([*reversed(namespaces), ""])
    async with Client(server) as client:
        preview = text_of(await client.call_tool(f"{whole}rows", {"count": 2000}))
        suggested = re.findall(r"^(?:Next: )?(\w+)\(object_id=", preview, flags=re.MULTILINE)
        assert suggested == [f"{whole}{prefix}query", f"{whole}{prefix}slice"]
        assert set(suggested) < {tool.name for tool in await client.list_tools()}
        mistaken = {"object_id": reference_in(preview), "raw": False, "start": 3}
        with pytest.raises(ToolError, match=rf"for a range of items or lines use {whole}{prefix}slice"):
            await client.call_tool(f"{whole}{prefix}get", mistaken)


async def test_expected_failures_are_reported_despite_masked_errors_and_without_a_traceback(container, caplog):
    server: FastMCP[Any] = FastMCP("hiding", mask_error_details=True)

    def find(name: str) -> str:
        """Find."""
        raise ObjectNotFound(name)

    register_tools(server, {"find": (find, ToolConfig())}, object_store=container.store)
    server.tool(container.referenceable()(third_party_text))
    attach(server, container)
    async with Client(server) as client:
        with pytest.raises(ToolError, match="^Object @lost not found"):
            await client.call_tool("find", {"name": "lost"})
        for tool in ("third_party_text", "object_store_get"):
            name = "object_id" if tool == "object_store_get" else "text"
            with pytest.raises(ToolError, match="^Object @obj_lost not found"):
                await client.call_tool(tool, {name: "@obj_lost"})
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]


def third_party_text(text: str) -> str:
    """Return it."""
    return text


async def test_the_limits_of_the_host_apply(server):
    async def characters(name: str) -> int:
        async with Client(server, client_info=Implementation(name=name, version="1")) as client:
            return len(text_of(await client.call_tool("text", {"count": 2_400})))

    assert await characters("claude-code") == 12_000
    assert await characters("visual studio code") < 8_192


async def test_a_tool_that_keeps_its_results_reports_that_no_filter_was_applied():
    container = Container(settings=Settings(filter_argument="advertised"))
    server: FastMCP[Any] = FastMCP("keeping")
    server.tool(container.explorable()(third_party_rows))
    async with Client(attached(server, container)) as client:
        text = text_of(await client.call_tool("third_party_rows", {"_filter": ".[0]"}))
    assert text.startswith("@obj_")
    assert text.endswith(
        "[Note: _filter was not applied, for this tool keeps its results itself: run it on the object.]"
    )


def third_party_rows() -> list[int]:
    """Return rows."""
    return [1, 2]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_tool_can_elicit_input(eliciting_server, mode):
    async def answer(message: str, response_type: Any, params: Any, context: Any) -> Any:
        return response_type(value="Bob") if mode == "legacy" else response_type(name="Bob")

    async with Client(eliciting_server, mode=mode, elicitation_handler=answer) as client:
        name = "ask_in_session" if mode == "legacy" else "ask_statelessly"
        reference = reference_in(text_of(await client.call_tool("object_store_put", {"value": {"greeting": "Hello"}})))
        assert text_of(await client.call_tool(name, {"greeting": f"{reference}.greeting"})) == "Hello Bob"


@pytest.fixture(params=[attached, mounted, mounted_with_middleware_on_both])
def eliciting_server(request: pytest.FixtureRequest, container: Container) -> FastMCP[Any]:
    server: FastMCP[Any] = FastMCP("asking")

    @server.tool
    async def ask_in_session(greeting: str, ctx: Context) -> str:
        """Ask for a name."""
        return f"{greeting} {(await ctx.elicit('Your name?', response_type=str)).data}"

    @server.tool
    async def ask_statelessly(greeting: str, ctx: Context) -> Any:
        """Ask for a name."""
        if ctx.input_responses:
            return f"{greeting} {ctx.input_responses['name'].content['name']}"
        schema = {"type": "object", "properties": {"name": {"type": "string"}}}
        params = ElicitRequestFormParams(message="Your name?", requested_schema=schema)
        return InputRequiredResult(input_requests={"name": ElicitRequest(params=params)})

    return request.param(server, container)


def test_a_server_is_attached_once_and_keeps_its_names(container):
    server = third_party_server()
    attach(server, container)
    with pytest.raises(SettingsError, match="attached already"):
        attach(server, container)
    taken: FastMCP[Any] = FastMCP("taken")

    @taken.tool
    def object_store_get() -> str:
        """Be a tool of the server."""
        return "own"

    with pytest.raises(SettingsError, match="tools of these names already: object_store_get"):
        attach(taken, container)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_instructions_mention_references(mode: Any) -> None:
    server: FastMCP[Any] = FastMCP("third-party", instructions="Be kind.")
    attach(server, Container(settings=Settings()))
    async with Client(server, mode=mode) as client:
        assert (client.instructions or "").startswith("Be kind.\n\nLarge tool results")


async def test_tools_whose_results_always_pass_whole_are_marked_for_claude_code():
    server = third_party_server()
    attach(server, Container(settings=Settings(never_keep="text")))
    async with Client(server) as client:
        marked = {
            tool.name: (tool.meta or {}).get("anthropic/maxResultSizeChars") for tool in await client.list_tools()
        }
    assert marked["text"] == 500_000
    assert marked["rows"] is None
