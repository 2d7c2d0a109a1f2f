"""A peer that does not read cannot fill the memory: its queue is bounded, and the other side has to wait."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.lowlevel import checkpoint
from mcp import Client

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.long_messages import LONG_MESSAGE
from coatcheck.errors import UpstreamError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.line_streams import HIGH_WATER
from coatcheck.proxy.send_capacity import MAX_SHORT_CALLS, MAX_UNSENT_BYTES, SendCapacity
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.proxy.upstreams.streamable_http import StreamableHttpConnection
from tests.processes import children_of, command_of, until_ended
from tests.results import text_of
from tests.waiting import until, wait_until, wait_until_steady
from tests.wrap.conftest import OWN_SCRIPTED
from tests.wrap.running import FEATURES, OWN_WRAP, QUIET, WRAP, wrapped_over_http

FLOOD = 800
"""Number of 100 kB messages that the flooding tools send."""
MOST = 400
"""Number of them that may be buffered: 40 MB, in pipes, sockets and at most 4 MB for each of two proxies."""
TIMEOUT_SECONDS = 30.0


def messages_written(mark: Path) -> int:
    return int((mark.read_text() if mark.exists() else "") or 0)


def wait_until_stalled(mark: Path) -> int:
    """Wait until a server cannot send more, and return the number of sent messages."""
    return wait_until_steady(lambda: messages_written(mark), "the number of messages that the server sent")


class SlowReader:
    """A client over stdio that reads lines on demand."""

    def __init__(self, *arguments: str, wrap: Sequence[str] = OWN_WRAP) -> None:
        self.process = subprocess.Popen(
            [*wrap, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **QUIET}
        )

    def __enter__(self) -> Self:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "slow", "version": "1"}}
        self.send(id=1, method="initialize", params=hello)
        self.answer(1)
        self.send(method="notifications/initialized")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(TIMEOUT_SECONDS)

    def send(self, **message: object) -> None:
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, request_id: int) -> list[dict]:
        """Read up to a response; return all messages."""
        read = []
        for line in self.process.stdout:
            read.append(json.loads(line))
            if read[-1].get("id") == request_id:
                return read
        raise AssertionError("it ended")


def gateway(tmp_path: Path) -> list[str]:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"one": {"command": OWN_SCRIPTED[0], "args": OWN_SCRIPTED[1:]}}}))
    return ["--servers", str(path)]


@pytest.mark.parametrize("way", ["command", "gateway", pytest.param("url", marks=pytest.mark.long)])
def test_a_client_over_stdio_that_does_not_read_makes_the_server_wait_and_loses_nothing(tmp_path, way):
    mark = tmp_path / "mark"
    with wrapped_over_http("--", *OWN_SCRIPTED, wrap=OWN_WRAP) if way == "url" else contextlib.nullcontext() as served:
        ways = {"command": ["--", *OWN_SCRIPTED], "gateway": gateway(tmp_path)}
        with SlowReader(*(["--url", served[1]] if way == "url" else ways[way]), wrap=WRAP) as client:
            tool = "one__floods" if way == "gateway" else "floods"
            client.send(id=2, method="tools/call", params={"name": tool, "arguments": {"mark": str(mark)}})
            assert wait_until_stalled(mark) < MOST
            read = client.answer(2)
            assert messages_written(mark) == FLOOD
            assert sum(message.get("method") == "notifications/message" for message in read) == FLOOD
            assert read[-1]["result"]["content"][0]["text"] == "all of it"


@pytest.mark.parametrize("way", ["command", "gateway"])
def test_a_server_that_does_not_read_makes_the_client_wait(tmp_path, way):
    ways = {"command": ["--", *OWN_SCRIPTED], "gateway": gateway(tmp_path)}
    with SlowReader(*ways[way]) as client:
        server = server_of(client.process.pid)
        os.kill(server, signal.SIGSTOP)
        try:
            os.set_blocking(client.process.stdin.fileno(), False)
            line = json.dumps({"jsonrpc": "2.0", "method": "notifications/x", "params": "x" * 100_000}).encode() + b"\n"
            taken, rest = 0, memoryview(line)

            def send_until_blocked() -> int:
                nonlocal taken, rest
                with contextlib.suppress(BlockingIOError):
                    while taken < FLOOD * len(line):
                        written = os.write(client.process.stdin.fileno(), rest)
                        taken, rest = taken + written, rest[written:] or memoryview(line)
                return taken

            assert wait_until_steady(send_until_blocked, "the number of messages that the client sent") < MOST * len(
                line
            )
        finally:
            os.kill(server, signal.SIGCONT)
            client.process.kill()


@pytest.mark.parametrize("way", ["command", "gateway", "url"])
def test_a_long_message_to_a_server_that_does_not_read_blocks_no_other_call(tmp_path, way):
    with wrapped_over_http("--", *OWN_SCRIPTED, wrap=OWN_WRAP) if way == "url" else contextlib.nullcontext() as served:
        ways = {"command": ["--", *OWN_SCRIPTED], "gateway": gateway(tmp_path)}
        with SlowReader(*(["--url", served[1]] if way == "url" else ways[way])) as client:
            tool = "one__measure" if way == "gateway" else "measure"
            put = {"name": "object_store_put", "arguments": {"value": [1]}}
            client.send(id=2, method="tools/call", params=put)  # after that the gateway knows the tools of each server
            assert "Stored as @" in str(client.answer(2))
            pid = served[0].pid if way == "url" else server_of(client.process.pid)
            os.kill(pid, signal.SIGSTOP)
            waking = threading.Timer(TIMEOUT_SECONDS, os.kill, (pid, signal.SIGCONT))
            waking.start()
            try:
                long = {"name": tool, "arguments": {"value": "x" * 20_000_000}}
                client.send(
                    id=3, method="tools/call", params=long
                )  # returns when all but the content of a pipe is read
                client.send(id=4, method="tools/call", params=put)
                assert [message["id"] for message in client.answer(4)] == [4]
                assert waking.is_alive()
            finally:
                waking.cancel()
                os.kill(pid, signal.SIGCONT)
            assert client.answer(3)[-1]["result"]["content"][0]["text"] == '{"value": ["str", 20000000]}'


def server_of(pid: int) -> int:
    (server,) = [child for child in children_of(pid) if "scripted_server" in command_of(child)]
    return server


def post(url: str, message: dict, **headers: str) -> socket.socket:
    """Send a request over HTTP, and return the connection without reading from it."""
    parts = urlsplit(url)
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        f"content-length: {len(body)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    connection = socket.create_connection((parts.hostname, parts.port))
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return connection


def test_a_session_over_http_that_does_not_read_makes_its_server_wait(tmp_path):
    mark = tmp_path / "mark"
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "slow", "version": "1"}}
    with wrapped_over_http("--", *OWN_SCRIPTED) as (_, url, _log):
        with post(url, {"id": 1, "method": "initialize", "params": hello}) as opened:
            head = opened.recv(4_000).decode().lower()
        session = head.partition("mcp-session-id: ")[2].partition("\r\n")[0]
        call = {"id": 2, "method": "tools/call", "params": {"name": "floods", "arguments": {"mark": str(mark)}}}
        with post(url, call, mcp_session_id=session, mcp_protocol_version="2025-11-25"):
            assert wait_until_stalled(mark) < MOST


def test_a_stateless_request_whose_client_does_not_read_is_dropped_and_others_are_served(tmp_path):
    mark, version = tmp_path / "mark", "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 1,
    }
    call = {
        "id": 1,
        "method": "tools/call",
        "params": {"name": "floods", "arguments": {"mark": str(mark)}, "_meta": meta},
    }
    headers = {"mcp_protocol_version": version, "mcp_method": "tools/call", "mcp_name": "floods"}

    async def another(url: str) -> str:
        with anyio.fail_after(TIMEOUT_SECONDS):
            async with Client(url) as client:
                return text_of(await client.call_tool("length", {"value": "abc"}))

    with wrapped_over_http("--", *FEATURES, "stdio") as (_, url, log_lines), post(url, call, **headers):
        assert wait_until_stalled(mark) < MOST
        assert anyio.run(another, url) == "3"
        wait_until(lambda: any("does not read" in line for line in log_lines), "it is logged")


def test_a_long_message_to_a_url_counts_as_unsent_while_it_waits():
    link = StreamableHttpConnection("http://nobody.invalid/mcp", "nobody", {})
    link._on_pressure = lambda: None
    long, others = object(), [object() for _ in range(9)]
    link._count_unsent(long, 100)
    link._count_unsent(others[0], 1)
    assert (link.unsent_bytes, link.backlog_bytes) == (101, 1)
    link._count_unsent(long, -40)
    assert link.backlog_bytes == 1
    for other in others[1:]:
        link._count_unsent(other, 1)
    link._count_unsent(long, -60)
    assert (link.unsent_bytes, link.backlog_bytes) == (9, 8)
    for other in others:
        link._count_unsent(other, -1)
    assert (link.unsent_bytes, link.backlog_bytes) == (0, 0)


@pytest.mark.anyio
async def test_output_of_an_exited_process_is_read_even_if_reading_was_paused():
    lines, ended = [], anyio.Event()
    writes = "import sys; [print('{\"n\": %d}' % n, flush=True) for n in range(500)]"
    before = children_of(os.getpid())
    link = ProcessConnection([sys.executable, "-c", writes])
    link.start(lambda line, _request: lines.append(line), lambda _text: ended.set())
    link.set_paused(paused=True)
    await until_ended(*(set(children_of(os.getpid())) - set(before)))
    for _ in range(10):
        await checkpoint()
    assert not ended.is_set()
    link.set_paused(paused=False)
    with anyio.fail_after(TIMEOUT_SECONDS):
        await ended.wait()
    await link.close()
    assert [json.loads(line)["n"] for line in lines] == list(range(500))


@pytest.mark.anyio
async def test_references_are_resolved_only_while_the_upstreams_can_accept_data(monkeypatch):
    unsent, other = [HIGH_WATER], [0]
    capacity, elsewhere = SendCapacity(lambda: unsent[0]), SendCapacity(lambda: other[0])

    async def prepare(capacity: SendCapacity, size: int) -> None:
        async with capacity.reserving() as reserve:
            await reserve(size)

    with anyio.fail_after(60):
        waiting = [asyncio.ensure_future(prepare(capacity, size)) for size in (1, LONG_MESSAGE + 1)]
        await prepare(elsewhere, 1)  # a call of another upstream does not wait
        assert not any(each.done() for each in waiting)
        unsent[0] = 0
        await asyncio.gather(*waiting)
        other[0] = MAX_UNSENT_BYTES  # all upstreams share a limit
        monkeypatch.setattr("coatcheck.proxy.send_capacity.CAPACITY_TIMEOUT", 0.1)
        with pytest.raises(UpstreamError, match="try again later"):
            await prepare(capacity, 1)
        other[0] = 0
        await prepare(capacity, 1)


@pytest.mark.anyio
async def test_a_call_with_short_values_does_not_wait_for_those_with_long_ones():
    capacity = SendCapacity(lambda: 0)
    with anyio.fail_after(60):
        async with AsyncExitStack() as held:
            longs = [await held.enter_async_context(capacity.reserving()) for _ in range(MAX_SHORT_CALLS)]
            for reserve in longs:
                await reserve(1)
            waiting = [asyncio.ensure_future(reserve(LONG_MESSAGE)) for reserve in longs]
            await waiting[0]
            async with capacity.reserving() as reserve:
                await reserve(LONG_MESSAGE)
            assert [each.done() for each in waiting] == [True] + [False] * (MAX_SHORT_CALLS - 1)
            for each in waiting[1:]:
                each.cancel()


@pytest.mark.anyio
async def test_a_server_that_does_not_read_gets_no_objects_until_it_does():
    explorer, unsent, sent = Explorer(ObjectStore(InMemoryBackend())), [HIGH_WATER], []
    explorer.store.put("the text")
    ready = asyncio.get_running_loop().create_future()
    ready.set_result(Interceptor(explorer))
    ready.result().learn([{"name": "f", "inputSchema": {"type": "object"}}])
    conversation = Conversation(
        lambda _line: None,
        lambda line, _message: sent.append(line),
        ready,
        on_stray_output=lambda _line: None,
        capacity=SendCapacity(lambda: unsent[0]),
    )
    for number, value in enumerate(("@obj_001", "{{@obj_404}}")):
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call"}
        conversation.from_client(json.dumps({**call, "params": {"name": "f", "arguments": {"value": value}}}).encode())
    await until(lambda: sent, "the call without an object is sent")
    unsent[0] = 0
    await until(lambda: len(sent) == 2, "the other one is sent")
    assert [json.loads(line)["params"]["arguments"]["value"] for line in sent] == ["{{@obj_404}}", "the text"]
    conversation.leave()
