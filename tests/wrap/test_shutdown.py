"""One signal, or the end of stdin, ends everything: exit codes, a stderr that is not read, a server that starts itself."""

import json
import os
import signal
import subprocess
import sys

import anyio
import httpx2
import pytest

from tests.waiting import wait_until
from tests.wrap.running import WRAP, wrapped_over_http

pytestmark = pytest.mark.anyio

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
SERVER = """
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        info = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": info}), flush=True)
    elif message.get("method") == "tools/call":
        sys.stderr.write("log line\\n" * 30000); sys.stderr.flush(); os._exit(3)
    elif message.get("method") == "ping":
        print({"debug": "a dict"}); print("{ broken"); print('{"level": 30, "msg": "a log line"}'); print('["DEBUG"]')
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}), flush=True)
sys.exit(7)
"""


def test_a_stderr_that_is_not_read_keeps_nothing_from_ending():
    command = [*WRAP, "--", sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        for request in ({"id": 1, "method": "initialize", "params": HELLO}, {"id": 2, "method": "tools/call"}):
            client.stdin.write(json.dumps({"jsonrpc": "2.0", **request}) + "\n")
            client.stdin.flush()
            answer = json.loads(client.stdout.readline())
        assert "exit code 3" in answer["error"]["message"]
        assert client.wait(60) == 3


def test_the_exit_code_of_a_server_survives_an_orderly_end(connect):
    client = connect(wrapped=False, command=[*WRAP, "--", sys.executable, "-c", SERVER])
    client.ask("initialize", HELLO)
    assert client.close() == 7


def test_what_a_server_prints_beside_its_messages_never_reaches_the_client(connect):
    client = connect(wrapped=False, command=[*WRAP, "--", sys.executable, "-c", SERVER])
    client.ask("initialize", HELLO)
    client.send({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    assert json.loads(client.line()) == {"jsonrpc": "2.0", "id": 2, "result": {}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_on_stdio_ends_at_a_signal(connect, number):
    client = connect(wrapped=False, command=[sys.executable, "-m", "coatcheck", "serve"])
    client.ask("initialize", HELLO)
    client.process.send_signal(number)
    assert client.ended() == 128 + number
    assert "Traceback" not in client.stderr


def test_a_file_of_servers_that_starts_itself_is_refused(connect, tmp_path):
    servers = tmp_path / "servers.json"
    entry = {"command": WRAP[0], "args": [*WRAP[1:], "--servers", str(servers)]}
    servers.write_text(json.dumps({"mcpServers": {"again": entry}}))
    client = connect(wrapped=False, command=[*WRAP, "--servers", str(servers)])
    client.ask("initialize", HELLO)
    wait_until(lambda: "starts itself" in client.stderr, "the refusal is reported")
    client.close()


def test_a_missing_working_directory_is_named(connect, tmp_path):
    missing = tmp_path / "nowhere"
    client = connect(wrapped=False, command=[*WRAP, "--cwd", str(missing), "--", sys.executable, "-c", SERVER])
    assert client.ended() == 1
    assert f"working directory {missing} does not exist" in client.stderr


async def test_sessions_that_are_refused_or_deleted_end_without_a_trace_in_the_log(feature_url):
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    with anyio.fail_after(120), wrapped_over_http("--url", feature_url) as (process, url, said):
        async with httpx2.AsyncClient(headers=accept) as client:
            for _ in range(3):
                opened = await client.post(url, json=hello)
                session = {"mcp-session-id": opened.headers["mcp-session-id"]}
                assert (await client.delete(url, headers=session)).status_code == 200
                refused = await client.post(url, json=hello, headers={"accept": "text/html"})
                assert refused.status_code == 406
        os.kill(process.pid, signal.SIGTERM)
        await anyio.to_thread.run_sync(process.wait)
    assert not [line for line in said if "destroyed" in line or "Traceback" in line]


async def test_a_foreign_host_header_reaches_no_path(feature_url):
    with anyio.fail_after(120), wrapped_over_http("--url", feature_url) as (_process, url, _said):
        for path in ("/mcp", "/healthz", "/readyz", "/metrics"):
            async with httpx2.AsyncClient() as client:
                foreign = await client.get(url.replace("/mcp", path), headers={"host": "attacker.example"})
                assert foreign.status_code == 421
                assert (await client.get(url.replace("/mcp", path))).status_code != 421


def test_a_url_that_is_an_sse_server_is_found(connect, sse_url):
    client = connect(wrapped=False, command=[*WRAP, "--url", sse_url])
    assert client.ask("initialize", HELLO)["result"]["serverInfo"]
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert client.ask("tools/list", {}, request_id=2)["result"]["tools"]
    assert client.close() == 0
