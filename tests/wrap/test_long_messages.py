"""Long messages of all conversations together take a bounded amount of memory, counted where they are admitted."""

import asyncio
import json
import os
import sys
from types import SimpleNamespace

import httpx2
import pytest
from anyio.lowlevel import checkpoint

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls import long_messages as module
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.long_messages import LongMessages, Reading, Turn, Unsent
from coatcheck.errors import UpstreamError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy import line_streams
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.http_application import Application
from coatcheck.proxy.line_streams import CHUNK, LineReader
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.store.tenancy import Tenancy
from tests.virtual_time import VirtualTimeLoop, pass_time
from tests.waiting import until

pytestmark = pytest.mark.anyio
MEBIBYTE = 1 << 20


async def waits(messages: LongMessages, size: int, caller: str) -> "asyncio.Task[Turn]":
    task = asyncio.ensure_future(messages.turn(size, caller))
    for _ in range(3):
        await checkpoint()
    return task


async def test_messages_have_turns_within_the_limit_and_a_longer_one_alone():
    messages = LongMessages(most_processed=10)
    first, second, third = [await waits(messages, size, "a") for size in (6, 6, 4)]
    assert (messages.processed, messages.waiting) == (6, 10)
    first.result().end()
    first.result().end()
    assert (messages.processed, messages.waiting) == (10, 0)
    longer = await waits(messages, 100, "a")
    (await second).end()
    assert not longer.done()
    (await third).end()
    (await longer).end()
    assert messages.processed == 0


async def test_callers_take_turns():
    messages, order = LongMessages(most_processed=1), []
    holder = await waits(messages, 1, "a")

    async def take(caller: str) -> None:
        turn = await messages.turn(1, caller)
        order.append(caller)
        turn.end()

    tasks = [asyncio.ensure_future(take(caller)) for caller in "aaaab"]
    for _ in range(3):
        await checkpoint()
    holder.result().end()
    await asyncio.gather(*tasks)
    assert order.index("b") <= 1


async def test_a_message_that_waits_too_long_is_refused_and_one_whose_client_leaves_is_dropped(monkeypatch):
    messages = LongMessages(most_processed=1)
    holder = await waits(messages, 1, "a")
    leaving = await waits(messages, 1, "b")
    leaving.cancel()
    monkeypatch.setattr(module, "TURN_TIMEOUT", 0)
    with pytest.raises(UpstreamError, match="Try again later"):
        await messages.turn(1, "c")
    await asyncio.wait({leaving})
    assert messages.waiting == 0
    holder.result().end()
    assert messages.processed == 0


async def test_a_turn_that_comes_when_its_client_leaves_is_given_back():
    messages = LongMessages(most_processed=1)
    holder, leaving = await waits(messages, 1, "a"), await waits(messages, 1, "b")
    holder.result().end()
    assert messages.processed == 1
    leaving.cancel()
    await asyncio.wait({leaving})
    assert messages.processed == 0


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"loop_factory": VirtualTimeLoop})], ids=["virtual time"])
async def test_a_message_waits_as_long_as_others_are_completed():
    messages = LongMessages(most_processed=1)
    turn = await messages.turn(1, "a")
    waiting = [await waits(messages, 1, str(number)) for number in range(5)]
    for task in waiting:
        await pass_time(module.TURN_TIMEOUT - 1)
        turn.end()
        turn = await task
    stuck = await waits(messages, 1, "a")
    with pytest.raises(UpstreamError, match="Try again later"):
        await stuck
    assert messages.waiting == 0


async def test_above_the_limit_reading_waits_for_what_is_processed_and_else_for_one_message():
    messages, resumed = LongMessages(most_held=10), []
    one, two, three = (Reading(messages, lambda name=name: resumed.append(name)) for name in ("one", "two", "three"))
    turn = await messages.turn(1, "a")
    assert one.grow_to(10)
    assert not two.grow_to(1)  # because something is processed, room will come
    assert not one.grow_to(11)
    turn.end()
    assert resumed == ["two"]  # because nothing is processed any more
    assert two.grow_to(5)
    assert not three.grow_to(1)
    two.finish()
    assert resumed == ["two", "one"]
    one.finish()
    assert resumed == ["two", "one", "three"]
    three.finish()
    assert messages.held == 0


async def test_above_the_limit_reading_waits_for_clients_as_long_as_they_read(monkeypatch):
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages(most_held=10)
    now, resumed = 1000.0, asyncio.Event()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    unsent = [Unsent(b"x" * 6), Unsent(b"x" * 6)]
    reading = Reading(messages, resumed.set)
    assert not reading.grow_to(1)
    unsent.pop()
    assert resumed.is_set()
    now += module.LEADER_SECONDS
    unsent.append(Unsent(b"x" * 6))
    assert reading.grow_to(2)  # no client reads any more
    messages.note_client_reads()
    reading.finish()
    assert not reading.grow_to(3)
    unsent.clear()
    reading.finish()
    assert messages.held == 0


async def test_a_message_of_which_nothing_comes_delays_no_other_one(monkeypatch):
    monkeypatch.setattr(module, "LEADER_SECONDS", 0)
    messages, resumed = LongMessages(most_held=1), asyncio.Event()
    stalled, other = Reading(messages, lambda: None), Reading(messages, resumed.set)
    assert stalled.grow_to(2)
    assert not other.grow_to(1)
    await asyncio.wait_for(resumed.wait(), 30)


async def test_a_reader_stops_within_a_long_line_above_the_limit():
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages(most_held=CHUNK)
    turn = await messages.turn(1, "a")
    messages.count(CHUNK)
    lines: list[bytes] = []
    read, write = os.pipe()
    os.set_blocking(read, False)
    reader = LineReader(read, lines.append, lambda: None, waits=True)
    reader.resume()
    line = b"x" * (4 * CHUNK) + b"\n"
    writing = asyncio.ensure_future(asyncio.to_thread(os.write, write, line))
    await until(lambda: reader.bytes_read > CHUNK and not reader.is_reading, "the reader waits")
    assert not lines
    assert reader.bytes_read <= 2 * CHUNK
    turn.end()
    messages.count(-CHUNK)
    await until(lambda: bool(lines), "the line is read")
    assert lines == [line]
    assert messages.held == 0
    await writing
    reader.stop()
    os.close(read)
    os.close(write)


class Watched(LongMessages):
    """Records the bytes that had a turn, and those that were held."""

    most = most_held = 0

    def count(self, change: int) -> None:
        self.most_held = max(self.most_held, self.held + change)
        super().count(change)

    def _admit(self) -> None:
        super()._admit()
        self.most = max(self.most, self.processed)


@pytest.mark.parametrize("kind", ["text", "structured"])
async def test_long_results_of_many_clients_are_kept_within_the_limit(kind):
    rows = [{"id": number, "name": "x" * 100} for number in range(18_000)]
    result = {"content": [{"type": "text", "text": "line of text\n" * 180_000}]}
    if kind == "structured":
        result = {"content": [], "structuredContent": {"rows": rows}}
    line = json.dumps({"jsonrpc": "2.0", "id": 2, "result": result}).encode() + b"\n"
    assert 2 * MEBIBYTE < len(line) < 3 * MEBIBYTE
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = Watched(most_processed=6 * MEBIBYTE)
    explorer = Explorer(ObjectStore(InMemoryBackend()))
    ready = asyncio.get_running_loop().create_future()
    ready.set_result(Interceptor(explorer))
    answers: list[list[bytes]] = [[] for _ in range(8)]
    asked: list[list[dict]] = [[] for _ in range(8)]
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "f", "arguments": {}}}
    conversations = [
        Conversation(
            answers[number].append,
            lambda _line, message, number=number: asked[number].append(message),
            ready,
            on_stray_output=lambda _line: None,
        )
        for number in range(8)
    ]
    for conversation in conversations:
        conversation.message_from_client(call, json.dumps(call).encode() + b"\n")
        conversation.from_server(line)
    assert messages.held == 8 * len(line)
    # The names of the tools are asked for before a turn: a server that does not answer takes none.
    await until(lambda: all(len(each) == 2 for each in asked), "tools are asked for")
    assert messages.processed == 0
    for conversation, (_, lists) in zip(conversations, asked, strict=True):
        listed = {"jsonrpc": "2.0", "id": lists["id"], "result": {"tools": []}}
        conversation.from_server(json.dumps(listed).encode() + b"\n")
    for conversation in conversations:
        await conversation.wait_until_idle()
    assert all(b"@obj_" in answer[0] for answer in answers)
    assert 2 * len(line) <= messages.most <= 6 * MEBIBYTE
    assert (messages.held, messages.waiting, messages.processed) == (0, 0, 0)
    explorer._open_sandbox().close()


DISCOVERED = '{"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}'
SHARED = f"""
import json, sys
answers = {{"server/discover": '{DISCOVERED}', "tools/list": '{{"tools": []}}'}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        size = asked["params"].get("arguments", {{}}).get("size", 0)
        result = answers.get(asked["method"]) or '{{"content": [{{"type": "text", "text": "%s"}}]}}' % ("line " * (size // 5))
        print('{{"jsonrpc": "2.0", "id": %s, "result": %s}}' % (json.dumps(asked["id"]), result), flush=True)
"""


async def test_results_of_clients_that_share_a_process_are_all_kept_within_the_limit():
    size, clients = 3 * MEBIBYTE, 12
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = Watched(2 * size, 3 * size)
    explorer = Explorer(ObjectStore(InMemoryBackend()))
    application = Application(
        lambda: ProcessConnection([sys.executable, "-c", SHARED]), Interceptor(explorer), Tenancy("t"), loopback=True
    )
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
    transport = httpx2.ASGITransport(app=application)
    async with application.running(), httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http:

        async def call(size: int) -> str:
            params = {"name": "f", "arguments": {"size": size}, "_meta": meta}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            named = {"mcp-method": "tools/call", "mcp-name": "f"}
            return (await http.post("http://localhost:1/mcp", json=body, headers=named)).text

        assert "line line" in await call(100)  # opens the connection
        answers = await asyncio.gather(*(call(each) for each in [size] * clients + [100]))
    assert all("@obj_" in answer for answer in answers[:-1])
    assert "line line" in answers[-1]
    # What is processed counts twice for a moment, as a line and while it is rewritten.
    assert 3 * size < messages.most_held < 5 * size + 2 * CHUNK
    assert (messages.held, messages.waiting, messages.processed) == (0, 0, 0)
    explorer._open_sandbox().close()


async def test_a_server_whose_message_has_no_end_is_ended(monkeypatch):
    monkeypatch.setattr(line_streams, "MAX_LINE_BYTES", 2 * MEBIBYTE)
    lines, ended = [], asyncio.get_running_loop().create_future()
    endless = "import sys\nprint('{}', flush=True)\nwhile True: sys.stdout.write('{' * 1000000)"
    link = ProcessConnection([sys.executable, "-c", endless])
    link.start(lambda line, _request: lines.append(line), ended.set_result)
    assert "writes a message of more than" in await asyncio.wait_for(ended, 60)
    assert lines == [b"{}\n"]
    assert LongMessages.of_loop().held == 0
    await link.close()
