"""One signal, or the end of stdin, stops everything: exit codes, a stderr that is not read, a server that starts itself."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest

from coatcheck import __version__
from coatcheck.proxy.upstreams import process as process_module
from tests.ports import is_listening
from tests.processes import descendants_of, wait_until_computing, wait_until_ended
from tests.results import reference_in
from tests.waiting import wait_until, within
from tests.wrap.conftest import OWN_SCRIPTED
from tests.wrap.running import OWN_WRAP, TIMEOUT_SECONDS, wrapped_over_http

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


def test_an_unread_stderr_does_not_prevent_the_exit():
    command = [*OWN_WRAP, "--", sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        for request in ({"id": 1, "method": "initialize", "params": HELLO}, {"id": 2, "method": "tools/call"}):
            client.stdin.write(json.dumps({"jsonrpc": "2.0", **request}) + "\n")
            client.stdin.flush()
            answer = json.loads(client.stdout.readline())
        assert "exit code 3" in answer["error"]["message"]
        assert client.wait(60) == 3


def test_the_exit_code_of_a_server_is_passed_on_after_a_clean_exit(connect):
    client = connect(wrapped=False, command=[*OWN_WRAP, "--", sys.executable, "-c", SERVER])
    client.ask("initialize", HELLO)
    assert client.close() == 7


def test_other_output_of_a_server_never_reaches_the_client(connect):
    client = connect(wrapped=False, command=[*OWN_WRAP, "--", sys.executable, "-c", SERVER])
    client.ask("initialize", HELLO)
    client.send({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    assert json.loads(client.line()) == {"jsonrpc": "2.0", "id": 2, "result": {}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_on_stdio_exits_on_a_signal(connect, number):
    client = connect(wrapped=False, command=[sys.executable, "-m", "coatcheck", "serve"])
    assert client.ask("initialize", HELLO)["result"]["serverInfo"] == {"name": "coatcheck", "version": __version__}
    client.process.send_signal(number)
    assert client.ended() == 128 + number
    assert "Traceback" not in client.stderr


HANGING = """
import pathlib, threading
from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from dependency_injector import providers

class Hanging(InMemoryBackend):
    def set(self, key, value, ttl_seconds):
        pathlib.Path(__file__).with_name("began").touch()
        threading.Event().wait()  # holds the event loop, as no backend should

container = Container()
container.backend.override(providers.Singleton(Hanging))
"""


@pytest.mark.parametrize("command", [["wrap", "--", *OWN_SCRIPTED, "stubborn"], ["serve"]], ids=["wrap", "serve"])
def test_a_process_that_does_not_exit_in_time_is_killed_with_its_servers(connect, command, tmp_path, monkeypatch):
    (tmp_path / "hanging.py").write_text(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("COATCHECK_SHUTDOWN_TIMEOUT", "0.5")
    options = ["--container", "hanging:container"]
    client = connect(wrapped=False, command=[*OWN_WRAP[:-1], command[0], *options, *command[1:]])
    client.ask("initialize", HELLO)
    put = {"name": "object_store_put", "arguments": {"value": 1}}
    client.send({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": put})
    wait_until((tmp_path / "began").exists, "the backend is called")
    pids = descendants_of(client.process.pid)
    client.process.send_signal(signal.SIGTERM)
    with within(0.5):
        assert client.ended() == 128 + signal.SIGTERM
    wait_until_ended(*pids)
    assert client.stderr == "coatcheck: ending by force, since not everything ended in time.\n"


def test_one_signal_stops_a_gateway_over_http_with_everything_running(tmp_path):
    """With servers that ignore signals, an unread stderr, an open stream, and an endless call and filter."""
    noisy = shlex.join([*OWN_SCRIPTED, "stubborn"])
    entry = {"command": "sh", "args": ["-c", f"yes | head -c 300000 >&2; exec {noisy}"]}
    servers = tmp_path / "servers.json"
    servers.write_text(json.dumps({"mcpServers": {"one": entry, "two": entry}}))
    options = ["--transport", "streamable-http", "--port", "0", "--shutdown-timeout", "2", "--servers", str(servers)]
    process = subprocess.Popen([*OWN_WRAP, *options], stderr=subprocess.PIPE, bufsize=0)
    try:
        url = process.stderr.readline().decode().split()[-1]
        with ThreadPoolExecutor() as threads, httpx2.Client(timeout=60) as client:
            session = Session(client, url)
            reference = reference_in(session.call("object_store_put", value=[1]))
            endless = [
                threads.submit(session.listen),
                threads.submit(session.call, "one__waits"),
                threads.submit(session.call, "object_store_query", object_id=reference, filter="def f: f; f"),
            ]
            workers = wait_until(
                lambda: descendants_of(process.pid)[4:], "a worker in addition to two servers and their child processes"
            )
            wait_until_computing(workers[0])
            pids = descendants_of(process.pid)
            process.send_signal(signal.SIGTERM)
            with within(2):
                assert process.wait(TIMEOUT_SECONDS) == 128 + signal.SIGTERM
            wait_until_ended(*pids)
            for each in endless:
                each.exception(TIMEOUT_SECONDS)  # they end with a result or an error
        output = process.stderr.read().decode()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert "Traceback" not in output
    assert "destroyed" not in output


def test_a_second_signal_leaves_no_server(tmp_path):
    """It arrives while a session with a server that ignores signals is ending."""
    options = ["--transport", "streamable-http", "--port", "0"]
    command = [*OWN_WRAP, *options, "--", *OWN_SCRIPTED, "stubborn"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        url = process.stderr.readline().split()[-1]
        with ThreadPoolExecutor() as threads, httpx2.Client(timeout=60) as client:
            session = Session(client, url)
            calls = [threads.submit(session.call, "waits") for _ in range(3)]
            pids = wait_until(
                lambda: descendants_of(process.pid)[1:] and descendants_of(process.pid), "the servers run"
            )
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_listening(urlsplit(url).port), "it waits for the calls")
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_SECONDS) == 128 + signal.SIGTERM
            for call in calls:
                call.exception(TIMEOUT_SECONDS)
        assert "Traceback" not in process.stderr.read()
    wait_until_ended(*pids)


def test_a_second_signal_stops_serve_immediately_without_a_traceback():
    command = [*OWN_WRAP[:-1], "serve", "--transport", "streamable-http", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = urlsplit(process.stderr.readline().split()[-1])
        with socket.create_connection((address.hostname, address.port)) as connection:
            host = f"host: {address.netloc}\r\n"
            connection.send(
                f"POST /mcp HTTP/1.1\r\n{host}content-length: 9999\r\nexpect: 100-continue\r\n\r\n".encode()
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # the server waits for the body
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_listening(address.port), "it waits for the body")
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_SECONDS) == -signal.SIGTERM
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_session_starts_stops_the_server_too(tmp_path, number):
    # A slow import. It does not wait without end, as Python misses a signal between its last check and the wait.
    (tmp_path / "typer.py").write_text("import threading\nwhile True:\n    threading.Event().wait(0.1)\n")
    command = [*OWN_WRAP, "--", "sh", "-c", "trap '' TERM HUP INT; echo started >&2; sleep 1000"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr.readline() == b"started\n"
        pids = descendants_of(process.pid)
        process.send_signal(number)
        assert process.wait(TIMEOUT_SECONDS) == 128 + number
    wait_until_ended(*pids)


INTERRUPTED = """
import asyncio, selectors, signal, threading
from coatcheck.proxy.front.standard_streams import signals

waiting = threading.Event()

class Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        waiting.set()
        return super().select(timeout)

def send():
    waiting.wait()
    threading.Event().wait(0.5)  # until the event loop really waits; otherwise this proves nothing
    # In this thread it interrupts no wait of the main thread, as one that arrives just before the wait.
    signal.pthread_kill(threading.get_ident(), signal.SIGHUP)

async def wait():
    received = asyncio.get_running_loop().create_future()
    with signals(received.set_result, lambda: 60.0):
        threading.Thread(target=send).start()
        return await received

with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Selector())) as runner:
    print(runner.run(wait()))
"""


def test_a_signal_that_does_not_interrupt_the_event_loop_s_wait_is_handled():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.stdout == f"{int(signal.SIGHUP)}\n", done.stderr


def test_a_signal_is_handled_while_waiting_for_a_store(connect, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        monkeypatch.setenv("COATCHECK_OBJECT_STORE_BACKEND", "redis")
        monkeypatch.setenv("COATCHECK_REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        command = [*OWN_WRAP, "--wait-for-store", "600", "--", sys.executable, "-c", SERVER]
        client = connect(wrapped=False, command=command)
        client.ask("initialize", HELLO)
        silent.accept()[0].close()  # the store is called
        client.process.send_signal(signal.SIGTERM)
        assert client.ended() == 128 + signal.SIGTERM
    assert "by force" not in client.stderr


def test_a_signal_while_a_server_starts_waits_until_it_can_be_killed(monkeypatch):
    known: list[int] = []
    start = process_module.subprocess.Popen

    def interrupted(*args, **options):
        process_module.when_servers_are_known(lambda: known.append(len(process_module._servers)))
        assert not known
        return start(*args, **options)

    before = len(process_module._servers)
    monkeypatch.setattr(process_module.subprocess, "Popen", interrupted)
    server = process_module.start_server(["sleep", "1000"])
    assert known == [before + 1]
    process_module.when_servers_are_known(lambda: known.append(0))
    assert known == [before + 1, 0]
    server.end()


def test_a_server_that_logs_much_waits_once_for_a_reader_of_stderr(monkeypatch):
    waits: list[float] = []

    def drop(descriptor, data, seconds):
        waits.append(seconds)
        return False

    monkeypatch.setattr(process_module, "write_or_drop", drop)
    server = process_module.start_server(["sh", "-c", "yes | head -c 1000000 >&2"])
    server.wait_for_stderr(TIMEOUT_SECONDS)
    server.end()
    assert waits[0] > 0
    assert set(waits[1:]) == {0}


class Session:
    """A minimal client of revision 2025-11-25 over HTTP."""

    def __init__(self, client: httpx2.Client, url: str) -> None:
        self.client, self.url = client, url
        self.headers = {"accept": "application/json, text/event-stream"}
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def post(self, message: dict) -> httpx2.Response:
        return self.client.post(self.url, json=message, headers=self.headers)

    def listen(self) -> str:
        return self.client.get(self.url, headers=self.headers).text

    def call(self, tool: str, **arguments: object) -> str:
        params = {"name": tool, "arguments": arguments}
        return self.post({"jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": params}).text


@pytest.mark.parametrize(
    "before",
    [[], ["env", "-i"], ["sh", "-c", 'env -i "$@"; exit', "sh"]],
    ids=["directly", "without its environment", "through a shell"],
)
def test_a_file_of_servers_that_starts_itself_is_refused(connect, tmp_path, before):
    servers = tmp_path / "servers.json"
    command = [*before, *OWN_WRAP, "--servers", str(servers)]
    entry = {"command": command[0], "args": command[1:]}
    servers.write_text(json.dumps({"mcpServers": {"again": entry}}))
    client = connect(wrapped=False, command=[*OWN_WRAP, "--servers", str(servers)])
    client.ask("initialize", HELLO)
    wait_until(lambda: "starts itself" in client.stderr, "the refusal is reported")
    client.close()


def test_a_missing_working_directory_is_named(connect, tmp_path):
    missing = tmp_path / "nowhere"
    client = connect(wrapped=False, command=[*OWN_WRAP, "--cwd", str(missing), "--", sys.executable, "-c", SERVER])
    assert client.ended() == 2
    assert f"working directory {missing} does not exist" in client.stderr


async def test_refused_and_deleted_sessions_leave_nothing_in_the_log(feature_url):
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    with anyio.fail_after(120), wrapped_over_http("--url", feature_url) as (process, url, output):
        async with httpx2.AsyncClient(headers=accept) as client:
            for _ in range(3):
                opened = await client.post(url, json=hello)
                session = {"mcp-session-id": opened.headers["mcp-session-id"]}
                assert (await client.delete(url, headers=session)).status_code == 200
                refused = await client.post(url, json=hello, headers={"accept": "text/html"})
                assert refused.status_code == 406
        os.kill(process.pid, signal.SIGTERM)
        await anyio.to_thread.run_sync(process.wait)
    assert not [line for line in output if "destroyed" in line or "Traceback" in line]


async def test_a_foreign_host_header_reaches_no_path(feature_url):
    with anyio.fail_after(120), wrapped_over_http("--url", feature_url) as (_process, url, _log):
        for path in ("/mcp", "/healthz", "/readyz", "/metrics"):
            async with httpx2.AsyncClient() as client:
                foreign = await client.get(url.replace("/mcp", path), headers={"host": "attacker.example"})
                assert foreign.status_code == 421
                assert (await client.get(url.replace("/mcp", path))).status_code != 421


def test_an_sse_server_at_a_url_is_detected(connect, sse_url):
    client = connect(wrapped=False, command=[*OWN_WRAP, "--url", sse_url])
    assert client.ask("initialize", HELLO)["result"]["serverInfo"]
    client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert client.ask("tools/list", {}, request_id=2)["result"]["tools"]
    assert client.close() == 0
