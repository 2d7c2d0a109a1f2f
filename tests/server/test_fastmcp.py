"""FastMCP 4: its own client sees identical small results, `.data` in both cases, and everything that it composes."""

import re
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastmcp import Client, Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server import create_proxy
from pydantic import BaseModel

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import overridden
from coatcheck.server import CoatcheckMiddleware, attach
from coatcheck.settings import Settings
from coatcheck.tool_factory import MemoryType, ToolConfig, inject, register_tools

pytestmark = pytest.mark.anyio


STAMP = "io.modelcontextprotocol/serverInfo"
"""Which server answered, in every result."""


class Row(BaseModel):
    number: int
    name: str


@dataclass
class Table:
    rows: list[Row]


def somebodys_server(name: str = "somebody's") -> FastMCP[Any]:
    server: FastMCP[Any] = FastMCP(name)

    @server.tool
    def rows(count: int) -> list[Row]:
        """Give rows."""
        return [Row(number=n, name=f"name {n}") for n in range(count)]

    @server.tool
    def table(count: int) -> Table:
        """Give a table."""
        return Table([Row(number=n, name=f"name {n}") for n in range(count)])

    @server.tool
    def untyped(count: int) -> dict[str, Any]:
        """Give a mapping."""
        return {f"key {n}": n for n in range(count)}

    @server.tool
    def text(count: int) -> str:
        """Give text."""
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
        """Report progress, and ask."""
        await ctx.report_progress(1, 2)
        return "done"

    @server.resource("data://notes")
    def notes() -> str:
        """Give notes."""
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


def proxied(server: FastMCP[Any], container: Container) -> FastMCP[Any]:
    return attached(create_proxy(server), container)


@pytest.fixture(params=[attached, with_middleware, mounted, mounted_with_middleware, proxied])
def server(request: pytest.FixtureRequest, container: Container) -> FastMCP[Any]:
    return request.param(somebodys_server(), container)


def shown(result: Any) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def reference_in(result: Any) -> str:
    found = re.search(r"@obj_[A-Za-z0-9_-]+", shown(result))
    assert found, shown(result)[:300]
    return found.group()


async def test_small_results_are_those_of_the_server_alone(server, container):
    async with Client(somebodys_server()) as direct, Client(server) as through:
        for name in ("rows", "table", "untyped", "text"):
            want = await direct.call_tool(name, {"count": 3})
            got = await through.call_tool(name, {"count": 3})
            assert got.content == want.content
            assert got.structured_content == want.structured_content
            assert {**(got.meta or {}), STAMP: None} == {**(want.meta or {}), STAMP: None}
            # The class that the client makes of the schema has a field more; what was there is the same.
            assert repr(got.data).replace(", field_stored=None", "") == repr(want.data)
        with pytest.raises(ToolError) as want_error:
            await direct.call_tool("fail", {"count": 3})
        with pytest.raises(ToolError) as got_error:
            await through.call_tool("fail", {"count": 3})
        assert str(got_error.value) == str(want_error.value)
    assert container.store().list() == []


@pytest.mark.parametrize("name", ["rows", "table", "untyped", "text"])
async def test_a_large_result_is_a_preview_and_its_data_no_error(server, container, name, caplog):
    async with Client(server) as client:
        await client.list_tools()
        result = await client.call_tool(name, {"count": 4000})
        assert len(shown(result)) <= 4000
        reference = reference_in(result)
        if result.structured_content is not None:
            assert result.structured_content["$stored"]["reference"] == reference
        assert "Error parsing structured content" not in caplog.text
        assert len(container.store().list()) == 1


async def test_a_reference_goes_into_another_tool(server):
    async with Client(server) as client:
        reference = reference_in(await client.call_tool("rows", {"count": 2000}))
        assert (await client.call_tool("total", {"rows": reference})).data == sum(range(2000))
        assert (await client.call_tool("total", {"rows": f"{reference}[10:12]", "bonus": 1})).data == 22
        with pytest.raises(ToolError, match="not found"):
            await client.call_tool("total", {"rows": "@obj_nothing"})


async def test_the_object_tools_answer_once_and_as_text(server):
    async with Client(server) as client:
        names = {tool.name for tool in await client.list_tools()}
        assert {"rows", "object_store_get", "object_store_put"} <= names
        reference = reference_in(await client.call_tool("rows", {"count": 2000}))
        answer = await client.call_tool("object_store_get", {"object_id": reference, "path": "[5].name"})
        assert shown(answer) == "name 5"
        assert answer.structured_content is None
        stored = await client.call_tool("object_store_put", {"value": {"part": f"{reference}[7].number"}})
        again = await client.call_tool("object_store_get", {"object_id": reference_in(stored), "path": "part"})
        assert shown(again) == "7"


async def test_a_long_error_is_kept_and_stays_an_error(server, container):
    async with Client(server) as client:
        result = await client.call_tool("fail", {"count": 20_000}, raise_on_error=False)
    assert result.is_error
    assert len(shown(result)) < 4100
    assert "x" * 20_000 in container.explorer().resolve(reference_in(result), as_text=True)


async def test_resources_prompts_and_progress_pass(server):
    seen: list[float] = []

    async def progress(now: float, total: float | None, message: str | None) -> None:
        seen.append(now)

    async with Client(server) as client:
        assert (await client.read_resource("data://notes"))[0].text == "the notes"
        assert (await client.get_prompt("ask")).messages[0].content.text == "a question"
        assert (await client.call_tool("steps", {}, progress_handler=progress)).data == "done"
        assert seen == [1.0]


@pytest.mark.parametrize("make", [attached, with_middleware, mounted, proxied])
async def test_a_stored_object_is_a_resource(make, container):
    server = make(somebodys_server(), container)
    object_id = container.store().put({"a": 1})
    async with Client(server) as client:
        read = await client.read_resource(f"coatcheck://objects/{object_id}")
        assert read[0].text.replace(" ", "").replace("\n", "") == '{"a":1}'


async def test_an_override_reaches_it(server, container):
    backend = InMemoryBackend()
    async with Client(server) as client:
        with overridden(container, backend=backend, settings=Settings(inline_limit=100, preview_limit=500)):
            result = await client.call_tool("text", {"count": 300})
            assert len(shown(result)) <= 500
            reference_in(result)
        assert len(shown(await client.call_tool("text", {"count": 300}))) == 1500
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
            reference = reference_in(await client.call_tool("get_rows", {}))
    assert container.explorer().resolve(f"{reference}.rows[8999]") == 8999


async def test_a_tool_added_later_and_decorated_tools_are_treated_like_any_other(container):
    server = attached(FastMCP("late"), container)

    @server.tool
    def late(count: int) -> str:
        """Come late."""
        return "word " * count

    @server.tool
    @container.explorable_and_referenceable()
    def double(numbers: list[int]) -> list[int]:
        """Double."""
        return [2 * number for number in numbers]

    secret = container.store().put("secret")
    holder = container.store().put([f"@{secret}"])

    @server.tool
    @container.referenceable()
    def echo(value: str) -> str:
        """Give it back."""
        return value

    async with Client(server) as client:
        reference_in(await client.call_tool("late", {"count": 5000}))
        preview = await client.call_tool("double", {"numbers": [1, 2]})
        assert "array of 2 items" in shown(preview)
        assert shown(await client.call_tool("echo", {"value": f"@{holder}[0]"})) == f"@{secret}"


async def test_tools_are_registered_and_hidden_parameters_stay_hidden(container):
    server: FastMCP[Any] = FastMCP("registered")

    def count(title: str, *, store: Any) -> str:
        """Count."""
        return f"{title}: {len(store.list())}"

    def numbers(size: int) -> list[int]:
        """Give numbers."""
        return list(range(size))

    registry = {
        "count": (count, ToolConfig(parameters={"store": container.store}, title="Count objects")),
        "numbers": (numbers, ToolConfig(memory_type=MemoryType.BOTH, annotations={"readOnlyHint": True})),
    }
    assert register_tools(server, registry, object_store=container.store) == ["count", "numbers"]

    @server.tool
    @inject(store=container.store)
    def again(title: str, *, store: Any) -> str:
        """Count again."""
        return f"{title}: {len(store.list())}"

    async with Client(server) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert list(tools["count"].input_schema["properties"]) == ["title"]
        assert tools["count"].title == "Count objects"
        assert tools["numbers"].annotations.read_only_hint
        assert list(tools["again"].input_schema["properties"]) == ["title"]
        assert "array of 3 items" in shown(await client.call_tool("numbers", {"size": 3}))
        assert shown(await client.call_tool("again", {"title": "t"})) == "t: 1"


def test_a_server_is_attached_once_and_keeps_its_names(container):
    server = somebodys_server()
    attach(server, container)
    with pytest.raises(SettingsError, match="attached already"):
        attach(server, container)
    taken: FastMCP[Any] = FastMCP("taken")

    @taken.tool
    def object_store_get() -> str:
        """Be somebody's own."""
        return "own"

    with pytest.raises(SettingsError, match="tools of these names already: object_store_get"):
        attach(taken, container)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_told_of_references(mode: Any) -> None:
    server: FastMCP[Any] = FastMCP("somebody's", instructions="Be kind.")
    attach(server, Container(settings=Settings()))
    async with Client(server, mode=mode) as client:
        assert (client.instructions or "").startswith("Be kind.\n\nLarge tool results")
