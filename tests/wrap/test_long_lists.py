"""Lists of megabytes: other tasks run in the meantime, and the list arrives complete."""

import asyncio
import contextlib
import json
from pathlib import Path

import httpx2
import pytest
from anyio.lowlevel import checkpoint
from mcp_types import JSONRPCError

from coatcheck.codec.chunked import yield_budget
from coatcheck.containers import Container
from coatcheck.proxy.front.long_responses import EncodedResponse, EncodedResponses
from coatcheck.proxy.gateway import merging
from coatcheck.proxy.gateway.upstream import State, Upstream
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.wrap.long_list_server import MANY, RESOURCES, TOOLS
from tests.wrap.running import WRAP, wrapped_over_http

pytestmark = pytest.mark.anyio
SERVER = [PYTHON, str(Path(__file__).with_name("long_list_server.py"))]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@contextlib.asynccontextmanager
async def count_turns():
    """Count the iterations of another task; yields a function that returns the count."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    counting = asyncio.ensure_future(count())
    await checkpoint()
    yield lambda: turns
    counting.cancel()


async def test_other_tasks_run_while_tools_are_rewritten(monkeypatch):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    interceptor = Container(settings=Settings()).proxy_interceptor()
    for encoded in (False, True):
        async with count_turns() as turns:
            await interceptor.tools_list({"tools": TOOLS[:100]}, encoded=encoded)
            assert turns() >= 2 * 100  # when tools are remembered, and when they are rewritten


async def test_other_tasks_run_while_a_gateway_renames_entries(monkeypatch):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    upstream = Upstream("one", lambda: None, None)
    upstream.state, upstream.handshake_result = State.RUNNING, {"capabilities": {"tools": {}}}

    async def ask(_upstream, _message, _params):
        return {"tools": TOOLS[:100]}

    async with count_turns() as turns:
        await merging.merged_list({"id": 1, "method": "tools/list"}, [upstream], ask)
        assert turns() >= 100


def command_behind(way: str, folder: Path) -> list[str]:
    servers = folder / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"one": {"command": SERVER[0], "args": SERVER[1:]}}}))
    more = ["--stateless"] if "stateless" in way else []
    return [*more, "--servers", str(servers)] if "gateway" in way else [*more, "--", *SERVER]


def check(tools: list[dict], resources: list[dict]) -> None:
    listed = {tool["name"].removeprefix("one__"): tool for tool in tools}
    assert "object_store_get" in listed
    assert all(listed[f"tool_{number}"]["description"] == TOOLS[number]["description"] for number in range(MANY))
    assert [resource["name"] for resource in resources] == [resource["name"] for resource in RESOURCES]


@pytest.mark.parametrize("way", ["stdio", "gateway"])
def test_a_long_list_arrives_completely(connect, way, tmp_path):
    client = connect(wrapped=False, command=[*WRAP, *command_behind(way, tmp_path)])
    client.ask("initialize", HELLO)
    check(client.ask("tools/list")["result"]["tools"], client.ask("resources/list")["result"]["resources"])


@pytest.mark.parametrize("way", ["http", "http gateway", "stateless http"])
def test_a_long_list_arrives_completely_over_http(way, tmp_path):
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": HELLO["protocolVersion"]}

    def ask(method: str, params: dict) -> dict:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answered = client.post(url, json=message, headers=headers)
        headers.update({name: value for name, value in answered.headers.items() if name == "mcp-session-id"})
        if answered.headers["content-type"] == "application/json":
            return answered.json()["result"]
        messages = [json.loads(line[6:]) for line in answered.text.splitlines() if line.startswith("data: {")]
        return messages[-1]["result"]

    with wrapped_over_http(*command_behind(way, tmp_path)) as (_, url, _log), httpx2.Client(timeout=60) as client:
        ask("initialize", HELLO)
        check(ask("tools/list", {})["tools"], ask("resources/list", {})["resources"])


LINE = b'{"jsonrpc":"2.0","id":7,"result":{"contents":[{"uri":"x","text":"%b"}%b]}}\n'


@pytest.mark.parametrize(("more", "accepted"), [(b"", True), (b"]", False), (b', {"x": "y}', False), (b", NaN", False)])
async def test_a_long_response_over_http_is_unchanged_if_strict_clients_accept_it(more, accepted):
    responses, sent = EncodedResponses(), []
    response = responses.of(LINE % (b"x" * 2_000_000, more))
    assert isinstance(response, EncodedResponse)
    checked = await response.checked()
    assert checked.id == 7
    assert (checked is response) is accepted
    assert isinstance(checked, JSONRPCError) is not accepted
    if accepted:

        async def send(event: dict) -> None:
            sent.append(event["body"])

        place = checked.model_dump_json(by_alias=True)
        await responses.restored(send)({"type": "http.response.body", "body": f"data: {place}\r\n".encode()})
        assert b"".join(sent) == b"data: " + (LINE % (b"x" * 2_000_000, more))[:-1] + b"\r\n"


async def test_a_malformed_entry_of_one_server_does_not_affect_the_lists_of_others(caplog):
    upstreams = [Upstream(name, lambda: None, None) for name in ("odd", "fine")]
    for upstream in upstreams:
        upstream.state, upstream.handshake_result = State.RUNNING, {"capabilities": {"tools": {}, "resources": {}}}
    odd = [
        7,
        None,
        {"name": 10**5_000},
        {"description": "no name"},
        {"name": "a", "description": None, "inputSchema": {"properties": {}}, "annotations": [], "icons": ["x"]},
        {"name": "b", "inputSchema": None, "title": 7, "_meta": "x", "vendor/x": 1},
    ]

    async def ask(upstream, message, _params):
        if message["method"] == "tools/list":
            return {"tools": odd if upstream.name == "odd" else TOOLS[:1]}
        deep: object = {}
        for _ in range(200):
            deep = [deep]
        return {
            "resources": [
                {"uri": 7, "name": "x"},
                {"uri": "a:c", "name": "c", "deep": deep},
                {"uri": "a:b", "name": "b", "size": "large", "mimeType": None},
            ]
        }

    listed = (await merging.merged_list({"id": 1, "method": "tools/list"}, upstreams, ask))["tools"]
    assert listed[:3] == [
        {"name": "odd__a", "inputSchema": {"properties": {}, "type": "object"}},
        {"name": "odd__b", "inputSchema": {"type": "object"}, "vendor/x": 1},
        {**TOOLS[0], "name": f"fine__{TOOLS[0]['name']}"},
    ]
    assert "odd lists 4 malformed tools" in caplog.text
    listed = (await merging.merged_list({"id": 1, "method": "resources/list"}, upstreams[:1], ask))["resources"]
    assert listed == [{"uri": "odd+a:b", "name": "b"}]
