"""A server's own resources with URIs like those of stored objects; it receives no other such URI."""

import asyncio
import json
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from coatcheck.errors import ObjectNotFound
from coatcheck.proxy import server_resources
from coatcheck.proxy.jsonrpc import id_of
from coatcheck.proxy.object_subscriptions import LISTEN, LONGEST_ID, MAX_OBJECTS, MAX_OPEN, ObjectSubscriptions
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequests
from coatcheck.proxy.server_resources import MAX_REMEMBERED, ServerResources
from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.wrap.resource_server import THEIRS
from tests.wrap.running import WRAP, wrapped

pytestmark = pytest.mark.anyio
SERVER = [PYTHON, str(Path(__file__).with_name("resource_server.py"))]
OTHERS = "coatcheck://objects/obj_otherwise"


async def asked(client: Client) -> list[str]:
    return json.loads(text_of(await client.call_tool("asked", {})))


@pytest.mark.parametrize("what", ["listed", "template"])
@pytest.mark.parametrize("way", ["stdio", "http", "stateless http"])
async def test_a_listed_resource_of_the_server_is_read_from_it(way, what):
    with anyio.fail_after(60), wrapped(way, "--", *SERVER, what) as connect:
        async with Client(connect(), mode="legacy") as client:
            assert (await client.read_resource(THEIRS)).contents[0].text == "the server's own"
            with pytest.raises(MCPError, match="obj_otherwise"):
                await client.read_resource(OTHERS)
            reference = reference_in(text_of(await client.call_tool("text", {})))
            stored = f"coatcheck://objects/{reference[1:]}"
            assert (await client.read_resource(stored)).contents[0].text == "word " * 5_000
            reads = [each for each in await asked(client) if each.startswith("resources/read")]
            assert reads == [f"resources/read {THEIRS}"]


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_the_lists_of_the_server_are_requested_once_and_only_for_a_missing_object(way):
    lists = ["resources/list", "resources/list", "resources/templates/list"]
    with anyio.fail_after(60), wrapped(way, "--", *SERVER) as connect:
        async with Client(connect(), mode="legacy") as client:
            reference = reference_in(text_of(await client.call_tool("text", {})))
            await client.read_resource(f"coatcheck://objects/{reference[1:]}")
            assert await asked(client) == []
            for _ in range(2):
                with pytest.raises(MCPError, match="obj_otherwise"):
                    await client.read_resource(OTHERS)
            assert await asked(client) == lists


async def test_resources_that_the_client_listed_are_not_listed_again():
    with anyio.fail_after(60), wrapped("stdio", "--", *SERVER) as connect:
        async with Client(connect(), mode="legacy") as client:
            page = await client.list_resources()
            await client.list_resources(cursor=page.next_cursor)
            before = await asked(client)
            assert (await client.read_resource(THEIRS)).contents[0].text == "the server's own"
            assert await asked(client) == [*before, f"resources/read {THEIRS}"]


def test_a_server_receives_only_subscriptions_to_its_own_resources(connect):
    client = connect(wrapped=False, command=[*WRAP, "--", *SERVER])
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    client.ask("initialize", hello)
    reference = reference_in(client.call("text")["result"]["content"][0]["text"])
    stored = f"coatcheck://objects/{reference[1:]}"
    for method in ("resources/subscribe", "resources/unsubscribe"):
        assert client.ask(method, {"uri": stored})["result"] == {}
        assert "obj_otherwise" in client.ask(method, {"uri": OTHERS})["error"]["message"]
    assert client.ask("resources/subscribe", {"uri": THEIRS})["result"] == {}
    updated = json.loads(client.line())
    assert updated["method"] == "notifications/resources/updated"
    assert updated["params"] == {"uri": THEIRS}
    assert client.ask("resources/unsubscribe", {"uri": THEIRS})["result"] == {}
    heard = [each for each in json.loads(client.call("asked")["result"]["content"][0]["text"]) if "subscribe" in each]
    assert heard == [f"resources/subscribe {THEIRS}", f"resources/unsubscribe {THEIRS}"]


@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_server_receives_only_streams_for_its_own_resources(way):
    with anyio.fail_after(60), wrapped(way, "--", *SERVER) as connect:
        async with Client(connect(), mode="auto") as client:
            reference = reference_in(text_of(await client.call_tool("text", {})))
            stored = f"coatcheck://objects/{reference[1:]}"
            async with client.listen(resource_subscriptions=[stored, OTHERS]) as nothing_to_hear:
                assert nothing_to_hear.honored.resource_subscriptions == [stored]
            async with client.listen(resource_subscriptions=[OTHERS]) as nothing_at_all:
                assert not nothing_at_all.honored.resource_subscriptions
            assert not [each for each in await asked(client) if not each.startswith("resources/")]
            async with client.listen(resource_subscriptions=[stored, THEIRS, OTHERS, "demo://a"]) as mixed:
                assert set(mixed.honored.resource_subscriptions) == {stored, THEIRS, "demo://a"}
                assert {(await anext(mixed)).uri, (await anext(mixed)).uri} == {THEIRS, "demo://a"}
            async with client.listen(resource_subscriptions=[stored], tools_list_changed=True) as changes:
                assert changes.honored.tools_list_changed
                assert changes.honored.resource_subscriptions == [stored]
            heard = [each for each in await asked(client) if each.startswith("subscriptions")]
            assert heard == [f"subscriptions/listen {THEIRS} demo://a", "subscriptions/listen "]


async def test_the_objects_of_one_stream_that_are_looked_up_are_bounded():
    looked_up: list[str] = []

    class CountingInterceptor:
        async def find_object(self, uri: str) -> None:
            looked_up.append(uri)
            raise ObjectNotFound("obj_x")

    interceptor = asyncio.get_running_loop().create_future()
    interceptor.set_result(CountingInterceptor())
    uris = [f"coatcheck://objects/obj_{number}" for number in range(MAX_OBJECTS * 3)]
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": LISTEN,
        "params": {"notifications": {"resourceSubscriptions": uris}},
    }
    request = PendingRequests().add(message, None)
    resources = ServerResources(OwnRequests(lambda *_: None, PendingRequests()), may_ask=False)
    answer = await ObjectSubscriptions().open(request, message, interceptor, resources)
    assert answer["params"]["notifications"] == {}
    assert looked_up == uris[:MAX_OBJECTS]


async def test_the_open_subscriptions_of_a_client_are_bounded():
    subscriptions, requests = ObjectSubscriptions(), PendingRequests()
    resources = ServerResources(OwnRequests(lambda *_: None, PendingRequests()), may_ask=False)
    interceptor = asyncio.get_running_loop().create_future()
    for key in ["x" * (LONGEST_ID + 1), *range(MAX_OPEN + 1)]:
        message = {"jsonrpc": "2.0", "id": key, "method": LISTEN, "params": {"notifications": {}}}
        await subscriptions.open(requests.add(message, None, key=id_of(message)), message, interceptor, resources)
    closed = [key for key in ("x" * (LONGEST_ID + 1), *range(MAX_OPEN + 1)) if subscriptions.close({"requestId": key})]
    assert closed == list(range(1, MAX_OPEN + 1))


async def test_behind_a_gateway_too(tmp_path):
    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"mcpServers": {"one": {"command": SERVER[0], "args": SERVER[1:]}}}))
    with anyio.fail_after(60), wrapped("stdio", "--servers", str(servers)) as connect:
        async with Client(connect(), mode="auto") as client:
            reference = reference_in(text_of(await client.call_tool("one__text", {})))
            stored, theirs = f"coatcheck://objects/{reference[1:]}", f"one+{THEIRS}"
            async with client.listen(resource_subscriptions=[stored, theirs]) as mixed:
                assert set(mixed.honored.resource_subscriptions) == {stored, theirs}
                assert (await anext(mixed)).uri == theirs
            heard = json.loads(text_of(await client.call_tool("one__asked", {})))
            assert f"subscriptions/listen {THEIRS}" in heard


READ = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": OTHERS}}


async def test_a_server_that_does_not_list_its_resources_delays_only_one_request(monkeypatch):
    monkeypatch.setattr(server_resources, "LIST_TIMEOUT", 0.01)
    heard = []
    requests = OwnRequests(lambda _line, message: heard.append(message["method"]), PendingRequests())
    resources, request = ServerResources(requests, may_ask=True), PendingRequests().add(READ, None)
    while len(heard) < 2:
        assert not await resources.have(OTHERS, request)
    for _ in range(3):
        assert not await resources.have(OTHERS, request)
    assert heard == ["resources/list", "resources/templates/list"]
    resources.cancel()


async def test_the_remembered_resources_of_a_server_are_bounded():
    resources = ServerResources(OwnRequests(lambda *_: None, PendingRequests()), may_ask=False)
    request = PendingRequests().add(READ, None)
    listed = [{"uri": f"coatcheck://objects/obj_{number}"} for number in range(MAX_REMEMBERED + 1)]
    await resources.learn(
        "resources/list", {"resources": [*listed, 7, {"uri": 7}, {"uri": "coatcheck://objects/obj_?"}]}
    )
    templates = [{"uriTemplate": f"coatcheck://objects/obj_a{number}_{{name}}"} for number in range(MAX_REMEMBERED + 1)]
    await resources.learn("resources/templates/list", {"resourceTemplates": [*templates, {"uriTemplate": "{+uri}"}]})
    for name, is_known in {"obj_0": False, "obj_1": True, "obj_a0_x": False, "obj_a1_x": True, "obj_b": False}.items():
        assert await resources.have(f"coatcheck://objects/{name}", request) is is_known
