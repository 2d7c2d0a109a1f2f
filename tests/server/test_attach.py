import asyncio
import json
import sys
from typing import Any

import anyio
import jsonschema
import pytest
from anyio.lowlevel import checkpoint
from dependency_injector import providers
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, TextContent
from pydantic import BaseModel

from coatcheck import __version__
from coatcheck.backends import InMemoryBackend
from coatcheck.calls.long_messages import LongMessages
from coatcheck.codec.chunked import yield_budget
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.lifecycle import overridden
from coatcheck.object_store import ObjectStore
from coatcheck.server import attach
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind
from coatcheck.tool_factory import ToolConfig
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio


class Row(BaseModel):
    number: int
    name: str


def third_party_server() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("third-party")

    @server.tool()
    def rows(count: int) -> list[Row]:
        """Return rows."""
        return [Row(number=n, name=f"name {n}") for n in range(count)]

    @server.tool()
    async def total(rows: list[Row], bonus: int = 0) -> int:
        """Add numbers."""
        return sum(row.number for row in rows) + bonus

    @server.tool()
    def text(size: int) -> str:
        """Return text."""
        return "".join(f"line {n}\n" for n in range(size))

    @server.tool()
    def echo(value: str) -> str:
        """Return the value."""
        return value

    @server.tool()
    def fail(size: int) -> str:
        """Fail."""
        raise ToolError("first " + "x" * size + " last")

    @server.tool()
    def picture(size: int) -> list[Any]:
        """Return an image and a note."""
        return [
            TextContent(type="text", text="a note"),
            ImageContent(type="image", data="A" * size, mime_type="image/png"),
        ]

    return server


class Watched(LongMessages):
    """Records the bytes of the results that were stored at a time."""

    most = 0

    def _admit(self) -> None:
        super()._admit()
        self.most = max(self.most, self.processed)


async def test_large_results_of_concurrent_calls_are_stored_in_turn(container):
    size = 150_000
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = Watched(most_processed=5 << 20)
    server = third_party_server()
    attach(server, container)
    async with Client(server) as client:
        answers = await asyncio.gather(*(client.call_tool("text", {"size": size}) for _ in range(5)))
    assert all("@obj_" in text_of(answer) for answer in answers)
    assert 1 << 20 < messages.most <= 5 << 20
    assert messages.processed == messages.waiting == 0


async def test_small_results_pass_unchanged(container, mode):
    plain, attached = third_party_server(), third_party_server()
    attach(attached, container)
    async with Client(plain, mode=mode) as direct, Client(attached, mode=mode) as through:
        for name, arguments in [
            ("rows", {"count": 3}),
            ("total", {"rows": [{"number": 4, "name": "x"}]}),
            ("text", {"size": 5}),
        ] + [
            ("echo", {"value": "@alice"}),
            ("picture", {"size": 100}),
            ("fail", {"size": 10}),
        ]:
            expected = await direct.call_tool(name, arguments)
            actual = await through.call_tool(name, arguments)
            assert actual.model_dump_json(by_alias=True) == expected.model_dump_json(by_alias=True)
    assert container.store().list() == []


async def test_a_large_result_becomes_a_preview_that_keeps_the_output_schema_true(container, mode):
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        result = await client.call_tool("rows", {"count": 2000})
        jsonschema.validate(result.structured_content, schemas["rows"])
        jsonschema.validate((await client.call_tool("rows", {"count": 2})).structured_content, schemas["rows"])
    assert len(text_of(result)) < 4000
    reference = reference_in(text_of(result))
    assert result.structured_content["$stored"]["reference"] == reference
    assert container.store().fetch(reference[1:])[1999] == {"number": 1999, "name": "name 1999"}


async def test_another_tool_accepts_a_reference_in_place_of_the_value(container, mode):
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        reference = reference_in(text_of(await client.call_tool("rows", {"count": 2000})))
        assert text_of(await client.call_tool("total", {"rows": reference})) == str(sum(range(2000)))
        assert text_of(await client.call_tool("total", {"rows": f"{reference}[10:12]"})) == "21"
        nested = {
            "rows": [f"{reference}[7]", {"number": f"{reference}[8].number", "name": "x"}],
            "bonus": f"{reference}[1].number",
        }
        assert text_of(await client.call_tool("total", nested)) == "16"
        assert text_of(await client.call_tool("echo", {"value": f"{reference}[3].name"})) == "name 3"
        assert text_of(await client.call_tool("echo", {"value": f"@{reference}"})) == reference


async def test_text_arrives_byte_for_byte_by_reference(container, mode):
    server = third_party_server()
    seen: list[str] = []

    @server.tool()
    def write(content: str) -> str:
        """Write."""
        seen.append(content)
        return "written"

    attach(server, container)
    async with Client(server, mode=mode) as client:
        reference = reference_in(text_of(await client.call_tool("text", {"size": 5000})))
        await client.call_tool("write", {"content": reference})
    assert seen == ["".join(f"line {n}\n" for n in range(5000))]


async def test_a_stored_text_that_looks_like_a_reference_is_not_resolved(container, mode):
    server = third_party_server()
    attach(server, container)
    secret = container.store().put("secret")
    referrer = container.store().put({"value": f"@{secret}", "list": [f"@{secret}"]})
    async with Client(server, mode=mode) as client:
        assert text_of(await client.call_tool("echo", {"value": f"@{referrer}.value"})) == f"@{secret}"


async def test_a_tool_that_resolves_references_itself_receives_them_unchanged(container, mode):
    server = third_party_server()
    secret = container.store().put("secret")
    referrer = container.store().put({"value": f"@{secret}"})

    @server.tool()
    @container.referenceable()
    def own_echo(value: str) -> str:
        """Return the value."""
        return value

    attach(server, container)
    async with Client(server, mode=mode) as client:
        # Resolved twice, it would be "secret".
        assert text_of(await client.call_tool("own_echo", {"value": f"@{referrer}.value"})) == f"@{secret}"


async def test_wrong_references_are_errors_that_say_what_to_do(container, mode):
    server = third_party_server()
    attach(server, container)
    object_id = container.store().put({"items": [1, 2]})
    async with Client(server, mode=mode) as client:
        missing = await client.call_tool("echo", {"value": "@obj_nothing"})
        assert missing.is_error
        assert "not found" in text_of(missing)
        assert "second @" in text_of(missing)
        missing_path = await client.call_tool("echo", {"value": f"@{object_id}.item"})
        assert missing_path.is_error
        assert "Did you mean .items?" in text_of(missing_path)
        wrong_type = await client.call_tool("total", {"rows": f"@{object_id}.items"})
        assert wrong_type.is_error
        assert len(text_of(wrong_type)) < 2000


async def test_a_long_error_keeps_both_ends_and_the_whole_is_stored(container, mode):
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        result = await client.call_tool("fail", {"size": 20_000})
    assert result.is_error
    text = text_of(result)
    assert len(text) < 4100
    assert "first xxx" in text
    assert "xxx last" in text
    assert "x" * 20_000 in container.explorer().resolve(reference_in(text), as_text=True)


async def test_the_object_tools_work(container, mode):
    server = third_party_server()
    added = attach(server, container)
    async with Client(server, mode=mode) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert set(added) <= set(listed)
        reference = reference_in(text_of(await client.call_tool("rows", {"count": 2000})))
        calls = {
            "object_store_get": {"object_id": reference, "path": "[5].name"},
            "object_store_slice": {"object_id": reference, "start": 5, "end": 6},
            "object_store_grep": {"object_id": reference, "pattern": "^name 5$"},
            "object_store_query": {"object_id": reference, "filter": ".[5].name"},
        }
        for name, arguments in calls.items():
            answer = await client.call_tool(name, arguments)
            assert not answer.is_error
            assert "name 5" in text_of(answer)
        assert reference in text_of(await client.call_tool("object_store_list", {}))
        assert "Deleted" in text_of(await client.call_tool("object_store_delete", {"object_id": reference}))
        deleted = await client.call_tool("object_store_get", {"object_id": reference})
        assert deleted.is_error
        put = text_of(await client.call_tool("object_store_put", {"value": {"a": [1, 2]}}))
        assert (
            text_of(
                await client.call_tool("object_store_get", {"object_id": put.split()[-1].rstrip("."), "path": "a[1]"})
            )
            == "2"
        )


async def test_an_override_of_the_store_applies_to_tools_that_are_already_registered(container, mode):
    server = third_party_server()
    attach(server, container)
    fake = ObjectStore(InMemoryBackend())
    async with Client(server, mode=mode) as client:
        with container.store.override(fake):
            assert "@obj_001" in text_of(await client.call_tool("rows", {"count": 2000}))
            assert (
                text_of(await client.call_tool("object_store_get", {"object_id": "obj_001", "path": "[9].name"}))
                == "name 9"
            )
        assert (await client.call_tool("object_store_get", {"object_id": "obj_001"})).is_error


async def test_a_client_that_names_a_hidden_parameter_changes_nothing(container, mode):
    server = third_party_server()
    attach(server, container)
    object_id = container.store().put([1, 2, 3])
    async with Client(server, mode=mode) as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "object_store_get")
        assert "explorer" not in tool.input_schema["properties"]
        named = await client.call_tool("object_store_get", {"object_id": object_id, "path": "[1]", "explorer": "mine"})
        assert 'There is no argument "explorer"' in text_of(named)
        assert text_of(await client.call_tool("object_store_get", {})).startswith(
            'The argument "object_id" is missing.'
        )
        assert text_of(await client.call_tool("object_store_get", {"object_id": object_id, "path": "[1]"})) == "2"


async def test_the_input_schema_advertises_references_on_lists_but_not_on_numbers(container, mode):
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        schema = next(t.input_schema for t in (await client.list_tools()).tools if t.name == "total")
        assert (await client.call_tool("total", {"rows": "no reference"})).is_error
    jsonschema.validate({"rows": "@obj_1.items"}, schema)
    assert schema["properties"]["bonus"] == {"type": "integer", "default": 0, "title": "Bonus"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rows": 5}, schema)


async def test_two_attached_servers_share_nothing(mode):
    servers, clients = [], []
    for _ in range(2):
        server = third_party_server()
        made = Container(settings=Settings())
        attach(server, made)
        servers.append(server)
        clients.append(made)
    async with Client(servers[0], mode=mode) as first, Client(servers[1], mode=mode) as second:
        reference = reference_in(text_of(await first.call_tool("rows", {"count": 2000})))
        assert (await second.call_tool("object_store_get", {"object_id": reference})).is_error


async def test_a_server_is_attached_once(container):
    server = third_party_server()
    attach(server, container)
    with pytest.raises(SettingsError, match="attached already"):
        attach(server, container)


async def test_a_server_with_a_tool_of_one_of_our_names_keeps_it(container):
    server = third_party_server()

    @server.tool()
    def object_store_get() -> str:
        """Be a tool of the server."""
        return "own"

    with pytest.raises(SettingsError, match="tools of these names already: object_store_get"):
        attach(server, container)


async def test_a_tool_added_later_is_covered(container, mode):
    server = third_party_server()
    attach(server, container)

    @server.tool()
    def late() -> str:
        """Be added later."""
        return "z" * 50_000

    async with Client(server, mode=mode) as client:
        assert len(text_of(await client.call_tool("late", {}))) < 4100


async def test_a_caller_s_scope_determines_the_namespace(container):
    with container.tenancy().enter(Caller(CallerKind.PRINCIPAL, "alice")):
        object_id = container.store().put("hers")
    server = third_party_server()
    attach(server, container)
    async with Client(server) as client:
        assert (await client.call_tool("object_store_get", {"object_id": object_id})).is_error


async def test_a_custom_inline_limit_applies(mode):
    container = Container(settings=Settings(inline_limit=50, preview_limit=400))
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        text = text_of(await client.call_tool("text", {"size": 500}))
        assert len(text) <= 400
        assert json.loads(container.explorer().query(reference_in(text), "length")) == 4390
    container.sandbox().close()


class FailingBackend(InMemoryBackend):
    """Raises exceptions that are not errors of this library."""

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        raise OSError("no space left on device")

    def get(self, key: str) -> bytes | None:
        raise OSError("the disk is gone")


async def test_a_result_reaches_the_model_although_a_third_party_backend_fails(mode):
    server = third_party_server()
    attach(server, Container(settings=Settings(), backend=FailingBackend()))
    async with Client(server, mode=mode) as client:
        answer = await client.call_tool("rows", {"count": 3000})
        assert not answer.is_error
        assert "name 0" in answer.content[0].text
        assert "not kept" in answer.content[0].text
        refused = await client.call_tool("echo", {"value": "@obj_000000"})
        assert refused.is_error
        assert "unavailable" in refused.content[0].text


async def test_limits_by_tool_and_by_round_are_settings(mode):
    settings = Settings(tool_limits={"tex*": 500, "*": 8_000}, always_keep="total", round_limit=9_000)
    container = Container(settings=settings)
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        assert text_of(await client.call_tool("text", {"size": 60})).startswith("line 0\n")
        assert text_of(await client.call_tool("text", {"size": 600})).startswith("@obj_")
        assert text_of(await client.call_tool("total", {"rows": []})).startswith("0\n[Kept: @obj_")
        long = {"value": "x" * 7_000}
        seen = []

        async def call() -> None:
            seen.append(text_of(await client.call_tool("echo", long)))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(call)
        assert sorted(text.startswith("@obj_") for text in seen) == [False, True, True]
    container.sandbox().close()


@pytest.mark.parametrize("decorated", [False, True], ids=["attached", "referenceable"])
async def test_a_large_argument_is_freed_in_chunks_after_its_call(container, monkeypatch, decorated):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    server, kept, uses = MCPServer("third-party"), [], []

    async def first(value: Any) -> str:
        kept.append(value[1])
        return "done"

    server.tool()(container.referenceable()(first) if decorated else first)
    attach(server, container)
    reference = await container.store().aput([{"number": n, "text": "x" * 100} for n in range(20_000)])

    async def count_references() -> None:
        while True:
            if kept:
                uses.append(sys.getrefcount(kept[0]))
            await checkpoint()

    async with anyio.create_task_group() as group, Client(server) as client:
        group.start_soon(count_references)
        assert text_of(await client.call_tool("first", {"value": f"@{reference}"})) == "done"
        group.cancel_scope.cancel()
    left = sys.getrefcount(kept[0])
    # Besides this test, only the chunk references it while chunks are freed, and nothing in the end.
    assert uses.count(3) > 20
    assert left == 2
    assert kept == [{"number": 1, "text": "x" * 100}]


async def test_the_object_tools_send_their_answer_only_as_text(container, mode):
    server = third_party_server()
    attach(server, container)
    object_id = container.store().put([1, 2])
    for each in (server, container.server()):
        async with Client(each, mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["object_store_get"].output_schema is None
            answer = await client.call_tool("object_store_get", {"object_id": object_id, "path": "[1]"})
            assert text_of(answer) == "2"
            assert answer.structured_content is None


async def test_a_tool_that_is_added_to_the_container_s_server_or_registry_is_covered(mode):
    def long(size: int) -> list[int]:
        """Return numbers."""
        return list(range(size))

    container = Container(settings=Settings())
    container.tools.add_args(providers.Object({"long": (long, ToolConfig())}))
    server = container.server()

    @server.tool()
    def later(numbers: list[int]) -> list[int]:
        """Return numbers."""
        return numbers

    async with Client(server, mode=mode) as client:
        reference = reference_in(text_of(await client.call_tool("long", {"size": 5000})))
        again = text_of(await client.call_tool("later", {"numbers": reference}))
        assert reference_in(again) != reference
        assert client.server_info.version == __version__
    assert len(container.store().list()) == 2


async def test_overridden_settings_and_tenancy_apply_to_an_attached_server(container, mode):
    server = third_party_server()
    attach(server, container)
    async with Client(server, mode=mode) as client:
        assert len(text_of(await client.call_tool("text", {"size": 300}))) > 2000
        with overridden(container, settings=Settings(inline_limit=100, preview_limit=500)):
            text = text_of(await client.call_tool("text", {"size": 300}))
            assert len(text) <= 500
            assert reference_in(text)
        assert len(text_of(await client.call_tool("text", {"size": 300}))) > 2000


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("settings", "message", "not_mentioned"),
    [
        ({}, ["@obj_001", "the object_store tools", "_filter"], []),
        ({"tool_prefix": "kept_", "filter_argument": "off"}, ["the kept tools"], ["_filter", "object_store"]),
        ({"object_tools": ("list", "query")}, ["closer with object_store_query."], ["object_store_get"]),
        ({"object_tools": ("put",), "filter_argument": "advertised"}, ["@obj_001"], ["_filter", "object_store"]),
    ],
)
async def test_the_instructions_follow_the_settings(
    mode: Any, settings: dict[str, Any], message: list[str], not_mentioned: list[str]
) -> None:
    server: MCPServer[Any] = MCPServer("third-party", instructions="Be kind.")
    attach(server, Container(settings=Settings(**settings)))
    async with Client(server, mode=mode) as client:
        own, _, added = (client.instructions or "").partition("\n\n")
    assert own == "Be kind."
    assert [part for part in message if part not in added] == []
    assert [part for part in not_mentioned if part in added] == []
