"""Wrapped servers over streamable HTTP, with concurrent clients and both protocols."""

import contextlib
import hashlib
import json
import re
import subprocess

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, ListRootsResult, Root, TextContent

from tests.processes import is_running, until_ended
from tests.results import reference_in, text_of
from tests.wrap.running import FEATURES, HERE, WRAP, appears, wrapped_over_http

pytestmark = pytest.mark.anyio
COMMAND = ["--", *FEATURES, "stdio"]


@pytest.fixture(scope="module")
def command_url():
    with wrapped_over_http(*COMMAND) as (_, url, _log):
        yield url


@pytest.fixture(scope="module")
def never_url():
    with wrapped_over_http("--never-keep", "*", *COMMAND) as (_, url, _log):
        yield url


@pytest.fixture(scope="module")
def never_url_url(never_url):
    with wrapped_over_http("--never-keep", "*", "--url", never_url) as (_, url, _log):
        yield url


@pytest.fixture(scope="module")
def url_url(feature_url):
    with wrapped_over_http("--url", feature_url) as (_, url, _log):
        yield url


async def sample(_context, _params) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="me"), model="m")


async def list_roots(_context) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///home")])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("upstream", ["command", "url"])
async def test_everything_passes_over_http(command_url, url_url, upstream, mode):
    progress, logged = [], []

    async def on_progress(done, _total, _message) -> None:
        progress.append(done)

    async def on_log(params) -> None:
        logged.append(params.data)

    asked = {"sampling_callback": sample, "list_roots_callback": list_roots}
    url = command_url if upstream == "command" else url_url
    with anyio.fail_after(60):
        async with Client(url, mode=mode, logging_callback=on_log, log_level="info", **asked) as client:
            assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
            assert "Use with care." in client.instructions
            assert {"text", "object_store_get"} <= {tool.name for tool in (await client.list_tools()).tools}
            large = text_of(await client.call_tool("text", {"size": 20_000}))
            assert len(large) <= 4_000
            assert text_of(await client.call_tool("length", {"value": reference_in(large)})) == "20000"
            await client.call_tool("steps", {}, progress_callback=on_progress)
            assert progress == [1, 2, 3]
            await client.call_tool("logs", {})
            assert logged == ["a message for the log"]
            assert (await client.read_resource("demo://people/Ann")).contents[0].text == "This is Ann."
            assert (await client.get_prompt("summary", {"subject": "it"})).messages[0].content.text == "Summarise it."
            with pytest.raises(MCPError):
                await client.read_resource("demo://nothing")
            if mode == "legacy":
                assert text_of(await client.call_tool("samples", {})) == "the model says me"
                assert text_of(await client.call_tool("roots", {})) == "file:///home"


@pytest.mark.parametrize(
    ("upstream", "mode"),
    [
        ("command", "auto"),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (("command", "legacy"), ("url", "auto"), ("url", "legacy"))
        ),
    ],
)
async def test_20_mb_pass_over_http_in_both_directions(never_url, never_url_url, upstream, mode):
    """The SDK's client accepts events up to 1 MB, and its server bodies up to 4 MB."""
    size = 20_000_000
    text = ("line of text\n" * (size // 13 + 1))[:size]
    url = never_url if upstream == "command" else never_url_url
    with anyio.fail_after(60):
        async with httpx2.AsyncClient(timeout=60) as http:
            ask = await open_raw_connection(http, url, mode)
            assert (await ask("length", {"value": text}))["content"][0]["text"] == str(size)
            assert (await ask("text", {"size": size}))["content"][0]["text"] == text


MODERN = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused_with_a_suggestion(command_url, declared):
    async def parts():
        for _ in range(65):
            yield b" " * (1 << 20)

    headers = MODERN | ({"content-length": str(65 << 20)} if declared else {})
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.post(command_url, content=parts(), headers=headers)
    assert answer.status_code == 413
    assert "larger than 64 MiB" in answer.json()["error"]["message"]
    assert "object_store_put" in answer.json()["error"]["message"]


async def test_a_client_that_disconnects_within_a_body_causes_no_error():
    with wrapped_over_http(*COMMAND) as (_, url, log):
        host, port = httpx2.URL(url).host, httpx2.URL(url).port
        for headers in (MODERN, {**MODERN, "mcp-protocol-version": "2025-11-25"}):
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            async with await anyio.connect_tcp(host, port) as stream:
                await stream.send(f"POST /mcp HTTP/1.1\r\nhost: {host}:{port}\r\n{head}".encode())
                await stream.send(b'content-length: 1000\r\n\r\n{"jsonrpc"')
        async with Client(url) as client:
            assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"
    assert "Traceback" not in "".join(log)


@pytest.mark.parametrize("upstream", ["command", "url"])
async def test_clients_with_the_same_ids_and_progress_tokens_are_isolated(command_url, url_url, upstream):
    heard = {}

    async def ask(tool, arguments):
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "progressToken": "mine",
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": "same", "method": "tools/call", "params": params}
        headers = MODERN | {"mcp-method": "tools/call", "mcp-name": tool}
        async with httpx2.AsyncClient(timeout=60) as http:
            text = (await http.post(command_url if upstream == "command" else url_url, json=body, headers=headers)).text
        events = [line[6:] for line in text.splitlines() if line.startswith("data: {")] if text[:1] != "{" else [text]
        heard[tool] = [json.loads(event) for event in events]

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "steps", {})
            for _ in range(3):
                group.start_soon(ask, "length", {"value": "abc"})
    *steps, last = heard["steps"]
    assert [(step["params"]["progress"], step["params"]["progressToken"]) for step in steps] == [
        (1, "mine"),
        (2, "mine"),
        (3, "mine"),
    ]
    assert last["id"] == "same"
    assert [answer["id"] for answer in heard["length"]] == ["same"]
    assert heard["length"][0]["result"]["content"][0]["text"] == "3"


@pytest.mark.parametrize("upstream", ["command", "url"])
async def test_long_calls_pass_and_are_parsed_only_if_needed(command_url, url_url, upstream):
    long, url = "x" * 200_000, command_url if upstream == "command" else url_url
    with anyio.fail_after(60):
        async with httpx2.AsyncClient(timeout=60) as http:
            ask = await open_raw_connection(http, url, "auto")
            results = [await ask("length", {"value": long}) for _ in range(2)]
            assert [result["content"][0]["text"] for result in results] == ["200000", "200000"]
            kept = await ask("object_store_put", {"value": long})
            reference = re.search(r"@obj_[\w-]+", kept["content"][0]["text"])[0]
            result = await ask("length", {"value": reference, "more": long})
            assert result["content"][0]["text"] == "200000"
            meta = {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }
            call = {"name": "length", "arguments": {"value": "@obj_1", "more": [long]}, "_meta": meta}
            body = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": call}
            broken = json.dumps(body).replace('"@obj_1"', '"@obj_1",,')
            headers = MODERN | {"mcp-method": "tools/call", "mcp-name": "length"}
            assert (await http.post(url, content=broken, headers=headers)).json()["error"]["code"] == -32700
            call["arguments"] = {"value": long}
            for bad in (long + r"\q", long + "\n", f'{long}", "a": 1{long}'):
                answer = await http.post(url, content=json.dumps(body).replace(long, bad), headers=headers)
                assert answer.json()["error"]["code"] == -32700
            twice = json.dumps(body).replace('"_meta"', '"name": "steps", "_meta"')
            refused = await http.post(url, content=twice, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)


async def test_initialize_in_a_stateless_revision_is_refused_and_has_no_effect(url_url):
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"_meta": meta}}
    async with httpx2.AsyncClient(timeout=60) as http:
        refused = await http.post(url_url, json=body, headers=MODERN | {"mcp-method": "initialize"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, -32601)
    async with Client(url_url) as client:
        assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"


async def open_raw_connection(http, url, mode):
    """Open a connection without the SDK; returns a function that calls a tool."""
    version = "2026-07-28" if mode == "auto" else "2025-11-25"
    json_or_events = "application/json, text/event-stream"
    headers = {"accept": json_or_events, "content-type": "application/json", "mcp-protocol-version": version}

    async def post(message):
        answer = await http.post(url, content=json.dumps({"jsonrpc": "2.0", **message}), headers=headers)
        assert answer.is_success, answer.text[:500]
        text = answer.text
        data = [line[6:] for line in text.splitlines() if line.startswith("data: {")] if text[:1] != "{" else [text]
        return answer, json.loads(data[-1]) if data and data[-1] else {}

    meta = {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}}
    if mode == "legacy":
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        answer, _ = await post({"id": 0, "method": "initialize", "params": hello})
        headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        await post({"method": "notifications/initialized"})
        meta = {}

    async def call(tool, arguments):
        headers.update({"mcp-method": "tools/call", "mcp-name": tool} if mode == "auto" else {})
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        return (await post({"id": 1, "method": "tools/call", "params": params}))[1]["result"]

    return call


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_request_with_a_lone_surrogate_is_answered(command_url, mode):
    async with httpx2.AsyncClient(timeout=60) as http:
        call = await open_raw_connection(http, command_url, mode)
        assert (await call("length", {"value": "cut \ud83d"}))["content"][0]["text"] == "5"


async def test_each_session_has_its_own_server_and_requests_without_a_session_share_one(command_url):
    async def process_of(mode: str, found: list[str]) -> None:
        async with Client(command_url, mode=mode) as client:
            found.append(text_of(await client.call_tool("process", {})))

    for mode, number in (("legacy", 3), ("auto", 1)):
        found: list[str] = []
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(process_of, mode, found)
        assert len(set(found)) == number


async def test_the_server_of_a_session_exits_with_it(command_url):
    with anyio.fail_after(60):
        async with Client(command_url, mode="legacy") as client:
            process = int(text_of(await client.call_tool("process", {})))
            assert is_running(process)
        await until_ended(process)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_responses_go_to_the_requesting_client(command_url, mode):
    async def ask(number: int) -> None:
        async with Client(command_url, mode=mode) as client:
            for _ in range(5):
                steps: list[float] = []

                async def on_progress(done, _total, _message, steps=steps) -> None:
                    steps.append(done)

                value = "x" * number
                assert text_of(await client.call_tool("length", {"value": value})) == str(number)
                await client.call_tool("steps", {"count": number}, progress_callback=on_progress)
                assert steps == list(range(1, number + 1))

    with anyio.fail_after(90):
        async with anyio.create_task_group() as group:
            for number in range(1, 5):
                group.start_soon(ask, number)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_without_authentication_an_id_is_long_and_nothing_is_listed(command_url, mode):
    with anyio.fail_after(60):
        async with Client(command_url, mode=mode) as client:
            reference = reference_in(text_of(await client.call_tool("text", {"size": 20_000})))
            assert len(reference) >= len("@obj_") + 22
            listed = await client.call_tool("object_store_list", {})
            assert listed.is_error
            assert reference not in text_of(listed)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_with_authentication_users_never_see_each_others_objects(tmp_path, mode):
    hashes = {name: hashlib.sha256(f"token of {name}".encode()).hexdigest() for name in ("ann", "bob")}
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("".join(f"{name} {digest}\n" for name, digest in hashes.items()))

    @contextlib.asynccontextmanager
    async def client_of(url, name):
        http = httpx2.AsyncClient(headers={"authorization": f"Bearer token of {name}"}, timeout=30)
        async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            yield client

    with wrapped_over_http("--auth-tokens", str(tokens), *COMMAND) as (_, url, _log), anyio.fail_after(60):
        async with client_of(url, "ann") as ann, client_of(url, "bob") as bob:
            reference = reference_in(text_of(await ann.call_tool("text", {"size": 20_000})))
            assert text_of(await ann.call_tool("length", {"value": reference})) == "20000"
            assert reference in text_of(await ann.call_tool("object_store_list", {}))
            stolen = await bob.call_tool("length", {"value": reference})
            assert stolen.is_error
            assert "not found" in text_of(stolen)
            assert reference not in text_of(await bob.call_tool("object_store_list", {}))
            with pytest.raises(MCPError):
                await bob.read_resource(f"coatcheck://objects/{reference[1:]}")
        async with httpx2.AsyncClient() as anonymous:
            refused = await anonymous.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert refused.status_code == 401


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_cancelled_call_is_cancelled_at_the_server(tmp_path, mode):
    mark = tmp_path / "mark"
    with wrapped_over_http(*COMMAND, FEATURE_MARK=str(mark)) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode=mode) as client:
            await client.list_tools()
            with anyio.move_on_after(1):
                await client.call_tool("waits", {})
            await appears(mark)
            assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_crashed_server_is_reported_and_the_next_client_gets_a_new_one(mode):
    with wrapped_over_http(*COMMAND) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode=mode) as client:
            with pytest.raises(MCPError, match="exit code 3"):
                await client.call_tool("die", {})
        async with Client(url, mode=mode) as client:
            assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_no_process_is_left_after_a_stop_signal(mode):
    with wrapped_over_http(*COMMAND) as (proxy, url, _log), anyio.fail_after(60):
        async with httpx2.AsyncClient(timeout=30) as http:
            # A client that stays connected, so that its session is not closed.
            client = Client(streamable_http_client(url, http_client=http, terminate_on_close=False), mode=mode)
            async with client:
                process = int(text_of(await client.call_tool("process", {})))
        proxy.terminate()
        assert await anyio.to_thread.run_sync(proxy.wait) == 128 + 15
        await until_ended(process)


async def test_a_legacy_server_is_reported_to_a_client_that_supports_only_the_stateless_protocol():
    old = [FEATURES[0], str(HERE / "scripted_server.py")]
    with wrapped_over_http("--", *old) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode="auto") as client:
            # A client that supports both negotiates the older one and loses nothing.
            assert client.protocol_version == "2025-11-25"
            assert "echo" in {tool.name for tool in (await client.list_tools()).tools}
        async with Client(url, mode="2026-07-28") as client:
            with pytest.raises(MCPError, match="2025-11-25 and before"):
                await client.list_tools()


def test_an_address_reachable_from_outside_needs_an_explicit_flag():
    command = [*WRAP, "--transport", "streamable-http", "--host", "0.0.0.0", *COMMAND]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "--unprotected" in ended.stderr


async def test_foreign_hosts_and_origins_are_refused_on_the_loopback_address(command_url):
    hello = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}}
    async with httpx2.AsyncClient() as http:
        for version in ("2025-11-25", "2026-07-28"):
            given = {"accept": "application/json, text/event-stream", "mcp-protocol-version": version}
            foreign = await http.post(command_url, json=hello, headers={**given, "host": "evil.example"})
            assert foreign.status_code == 421
            foreign = await http.post(command_url, json=hello, headers={**given, "origin": "http://evil.example"})
            assert foreign.status_code == 403
