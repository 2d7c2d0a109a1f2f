"""Wrapped servers over stateless HTTP: requests are independent, with both protocols."""

import functools
import json
import subprocess
import sys

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.front.http_application import Application
from coatcheck.proxy.line_streams import HIGH_WATER
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.store.tenancy import Tenancy
from tests.processes import is_running
from tests.results import reference_in, text_of
from tests.waiting import until
from tests.wrap.running import FEATURES, HERE, WRAP, appears, minimal_server, wrapped_over_http

pytestmark = pytest.mark.anyio
COMMAND = ["--stateless", "--", *FEATURES, "stdio"]
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


@pytest.fixture(scope="module")
def url(feature_url):
    with wrapped_over_http(*COMMAND) as (_, url, _log):
        yield url


@pytest.fixture(scope="module", params=["command", "url"])
def server_url(request, url, feature_url):
    if request.param == "command":
        yield url
        return
    with wrapped_over_http("--stateless", "--url", feature_url) as (_, wrapped, _log):
        yield wrapped


async def ask(url: str, method: str, params: dict | None = None, **headers: str) -> httpx2.Response:
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(url, json=message, headers={**HEADERS, **headers})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_clients_of_both_protocols_work_and_share_objects(server_url, mode):
    steps: list[float] = []

    async def on_progress(done, _total, _message) -> None:
        steps.append(done)

    with anyio.fail_after(60):
        async with Client(server_url, mode=mode) as one, Client(server_url, mode=mode) as other:
            assert "@obj_" in one.instructions
            assert {"length", "object_store_get"} <= {tool.name for tool in (await one.list_tools()).tools}
            reference = reference_in(text_of(await one.call_tool("text", {"size": 20_000})))
            assert text_of(await other.call_tool("length", {"value": reference})) == "20000"
            assert text_of(await one.call_tool("steps", {"count": 3}, progress_callback=on_progress)) == "done"
            assert steps == [1, 2, 3]
            assert (await other.read_resource("demo://greeting")).contents[0].text == "Hello."
            assert "whales" in str((await one.get_prompt("summary", {"subject": "whales"})).messages)


async def test_a_request_needs_no_handshake_and_gets_no_session(url):
    greeting = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    for answer in (
        await ask(url, "tools/call", {"name": "length", "arguments": {"value": "abc"}}),
        await ask(url, "initialize", greeting),
        await ask(url, "ping", **{"mcp-session-id": "forgotten"}),
    ):
        assert answer.status_code == 200
        assert answer.json()["id"] == 7
        assert "result" in answer.json()
        assert "mcp-session-id" not in answer.headers


async def test_there_is_no_stream_and_no_session_to_end(url):
    async with httpx2.AsyncClient(timeout=30) as http:
        for method in ("GET", "DELETE"):
            refused = await http.request(method, url, headers={**HEADERS, "accept": "text/event-stream"})
            assert refused.status_code == 405
            assert refused.headers["allow"] == "POST"


async def test_all_clients_of_a_revision_share_one_server(url):
    async with Client(url, mode="legacy") as one, Client(url, mode="legacy") as other:
        process = text_of(await one.call_tool("process", {}))
        assert text_of(await other.call_tool("process", {})) == process
    assert is_running(int(process))


PROMISING = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        capabilities = {
            "tools": {"listChanged": True}, "resources": {"listChanged": True, "subscribe": True},
            "logging": {}, "tasks": {"list": {}}, "completions": {},
        }
        who = {"name": "promising", "version": "1"}
        result = {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": who}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


async def test_features_that_need_a_session_are_not_advertised():
    with wrapped_over_http("--stateless", "--", FEATURES[0], "-c", PROMISING) as (_, url, _log):
        result = (await ask(url, "initialize", {"protocolVersion": "2025-11-25"})).json()["result"]
    assert result["capabilities"] == {"tools": {}, "resources": {}, "completions": {}}
    assert result["protocolVersion"] == "2025-06-18"


async def test_features_that_need_a_session_are_refused_with_a_reason(url):
    async with Client(url, mode="legacy") as client:
        for tool in ("samples", "roots"):
            with pytest.raises(MCPError, match="cannot be asked: this server runs without sessions"):
                await client.call_tool(tool, {})
            assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"
    for method in ("resources/subscribe", "logging/setLevel", "tasks/list"):
        refused = await ask(url, method, {"uri": "demo://greeting", "level": "info"})
        assert refused.status_code == 200  # a client would interpret 404 as the end of its session
        assert "without sessions (--stateless)" in refused.json()["error"]["message"]


async def test_invalid_requests_are_distinguished_from_notifications(url):
    async with httpx2.AsyncClient(timeout=30, headers=HEADERS) as http:
        ready = await http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert ready.status_code == 202
        for body in ({"jsonrpc": "2.0", "id": 1, "result": {}}, [{"jsonrpc": "2.0", "id": 1, "method": "ping"}]):
            refused = await http.post(url, json=body)
            assert refused.status_code == 400
            assert "one JSON-RPC request" in refused.json()["error"]["message"]
        assert (await http.post(url, content=b"{", headers={"content-type": "application/json"})).status_code == 400


async def test_responses_to_clients_with_the_same_request_id_are_not_mixed_up(url):
    found: dict[int, str] = {}

    async def measure(size: int) -> None:
        answer = await ask(url, "tools/call", {"name": "length", "arguments": {"value": "x" * size}})
        found[size] = answer.json()["result"]["content"][0]["text"]

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for size in range(1, 20):
                group.start_soon(measure, size)
    assert found == {size: str(size) for size in range(1, 20)}


async def test_a_crashed_server_is_reported_and_restarted():
    with wrapped_over_http(*COMMAND) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode="legacy") as client:
            with pytest.raises(MCPError, match="exit code 3"):
                await client.call_tool("die", {})
            assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"


async def test_a_legacy_server_works_for_clients_that_support_both_protocols():
    old = [FEATURES[0], str(HERE / "scripted_server.py")]
    with wrapped_over_http("--stateless", "--", *old) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode="auto") as client:
            assert client.protocol_version == "2025-11-25"
            assert "echo" in {tool.name for tool in (await client.list_tools()).tools}


async def test_a_server_that_cannot_start_is_reported():
    with wrapped_over_http("--stateless", "--", FEATURES[0], "-c", "raise SystemExit('no disk')") as (_, url, _log):
        for method in ("initialize", "tools/list"):
            answer = await ask(url, method)
            assert "did not start: it ended with exit code 1" in answer.json()["error"]["message"]


@pytest.mark.parametrize("command", [[*WRAP, *COMMAND], [*WRAP[:-1], "serve", "--stateless"]])
def test_the_stateless_option_is_refused_over_stdio(command):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "--transport streamable-http" in ended.stderr


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_large_slow_call_blocks_no_other_call(feature_url, mode, tmp_path):
    with wrapped_over_http("--stateless", "--url", feature_url) as (_, url, _log), anyio.fail_after(30):
        async with Client(url, mode=mode) as one, Client(url, mode=mode) as other, anyio.create_task_group() as group:
            began = [tmp_path / "first", tmp_path / "second"]
            for mark in began:
                group.start_soon(one.call_tool, "waits", {"beside": "x" * 3_000_000, "began": str(mark)})
            for mark in began:
                await appears(mark)
            assert text_of(await other.call_tool("length", {"value": "abc"})) == "3"
            group.cancel_scope.cancel()


STOPS_READING = """
import json, signal, sys
asked = json.loads(sys.stdin.readline())
result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "deaf", "version": "1"}}
print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
signal.pause()
"""


async def test_callers_of_a_server_that_does_not_read_get_an_error(monkeypatch):
    monkeypatch.setattr("coatcheck.proxy.front.shared_connection.CAPACITY_TIMEOUT", 0.3)
    explorer, command = Explorer(ObjectStore(InMemoryBackend())), [sys.executable, "-c", STOPS_READING]
    links: list[ProcessConnection] = []

    def make_connection() -> ProcessConnection:
        links.append(ProcessConnection(command))
        return links[-1]

    application = Application(make_connection, Interceptor(explorer), Tenancy("test"), loopback=True, stateless=True)
    call = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "f", "arguments": {"x": "x" * 9_000_000}},
    }
    there = httpx2.ASGITransport(app=application)
    async with (
        application.running(),
        httpx2.AsyncClient(transport=there, headers=HEADERS, timeout=None) as http,
        anyio.create_task_group() as group,
    ):
        group.start_soon(functools.partial(http.post, "http://localhost:1/mcp", json=call))
        await until(lambda: links and links[-1].unsent_bytes >= HIGH_WATER, "the long call waits")
        with anyio.fail_after(30):
            refused = await http.post("http://localhost:1/mcp", json={**call, "id": 8})
        group.cancel_scope.cancel()
    assert refused.json()["id"] == 8
    assert "did not take what was sent to it" in refused.json()["error"]["message"]


ECHOES = minimal_server('json.dumps(asked["params"])')


@pytest.mark.parametrize("value", ["abc", "@@obj_001"])
async def test_a_call_as_a_task_is_executed_immediately(value):
    params = {"name": "f", "arguments": {"value": value}, "task": {"ttl": 60_000}}
    with wrapped_over_http("--stateless", "--", FEATURES[0], "-c", ECHOES) as (_, url, _log):
        answer = (await ask(url, "tools/call", params)).json()
    sent = json.loads(answer["result"]["content"][0]["text"])
    assert sent == {"name": "f", "arguments": {"value": value.removeprefix("@")}}
