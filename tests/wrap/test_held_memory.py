"""What is held of long requests and responses over HTTP: bounded, and freed when it is no longer needed."""

import asyncio
import gc
import json
import sys

import httpx2
import pytest
from anyio.lowlevel import checkpoint
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import Limits
from coatcheck.calls.long_messages import MAX_PROCESSED_BYTES, LongMessages
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.front.http_application import Application
from coatcheck.proxy.front.http_requests import SendQueue
from coatcheck.proxy.front.long_calls import LongCalls
from coatcheck.proxy.front.long_responses import PART, EncodedResponses
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.store.tenancy import Tenancy
from tests.wrap.running import minimal_server

pytestmark = pytest.mark.anyio
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ECHOES = minimal_server('"x" * asked["params"]["arguments"]["size"]')


async def test_an_idle_session_holds_neither_its_last_request_nor_its_last_response():
    interceptor = Interceptor(Explorer(ObjectStore(InMemoryBackend())), limits=Limits(never=("f",)))
    application = Application(
        lambda: ProcessConnection([sys.executable, "-c", ECHOES]), interceptor, Tenancy("test"), loopback=True
    )
    headers = {"accept": "application/json, text/event-stream"}
    transport = httpx2.ASGITransport(app=application)
    async with (
        application.running(),
        httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http,
    ):

        async def ask(method: str, params: dict, request_id: int) -> httpx2.Response:
            message = {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
            return await http.post("http://localhost:1/mcp", json=message)

        opened = await ask("initialize", HELLO, 1)
        http.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        answered = await ask("tools/call", {"name": "f", "arguments": {"size": 2 << 20}}, 2)
        assert "x" * 100 in answered.text
        gc.collect()
        held = [each.message for each in gc.get_objects() if isinstance(each, SessionMessage)]
        assert not [each for each in held if isinstance(each, JSONRPCRequest)]
        (routed,) = held  # by the SDK
        assert "was sent" in routed.model_dump_json()


class Requests(LongMessages):
    """Records the bytes of the requests that were parsed at a time."""

    most = 0

    def _admit(self) -> None:
        super()._admit()
        self.most = max(self.most, self.processed)


COUNTS = minimal_server('len(asked["params"]["arguments"]["rows"])')


META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
}


WAYS = pytest.mark.parametrize("way", ["sessions", "stateless", "modern"])


def serving(way: str, explorer: Explorer) -> Application:
    """Return an application in front of servers that count rows."""
    return Application(
        lambda: ProcessConnection([sys.executable, "-c", COUNTS]),
        Interceptor(explorer),
        Tenancy("t"),
        loopback=True,
        stateless=way == "stateless",
    )


async def call_with_rows(application: Application, way: str, *more: str) -> httpx2.Response:
    """Call a tool with rows of two megabytes, as a client of its own."""
    headers = {"accept": "application/json, text/event-stream"}
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http:

        async def ask(method: str, params: dict) -> httpx2.Response:
            message = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
            return await http.post("http://localhost:1/mcp", json=message)

        meta = {}
        if way == "modern":
            meta = {"_meta": META}
            http.headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "f"}
        elif way == "sessions":
            http.headers["mcp-session-id"] = (await ask("initialize", HELLO)).headers["mcp-session-id"]
        rows = [{"id": number, "name": "x" * 20} for number in range(45_000)]
        return await ask("tools/call", {"name": "f", "arguments": {"rows": [*rows, *more]}, **meta})


@WAYS
async def test_long_calls_of_many_clients_are_parsed_in_turn(way):
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages()
    requests = messages._requests = Requests(most_processed=5 << 20)
    explorer = Explorer(ObjectStore(InMemoryBackend()))
    application = serving(way, explorer)

    async with application.running():
        reference = f"@{explorer.store.put('kept')}"
        answers = await asyncio.gather(*(call_with_rows(application, way, reference) for _ in range(4)))
        assert all("45001" in answer.text for answer in answers)
    assert 2 << 20 < requests.most <= 5 << 20
    assert (requests.processed, requests.waiting, messages.held) == (0, 0, 0)


@WAYS
async def test_a_long_call_that_waits_too_long_is_refused_with_a_status_that_every_client_reads_as_an_error(
    way, monkeypatch
):
    monkeypatch.setattr("coatcheck.calls.long_messages.TURN_TIMEOUT", 0.05)
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages()
    application = serving(way, Explorer(ObjectStore(InMemoryBackend())))

    async with application.running():
        other = await messages.requests.turn(MAX_PROCESSED_BYTES, "other")
        refused = await call_with_rows(application, way)
        other.end()
        assert refused.status_code == 503
        assert "Try again later" in refused.json()["error"]["message"]
        assert "45000" in (await call_with_rows(application, way)).text


async def test_a_long_call_that_is_refused_is_not_held_and_one_whose_client_leaves_is_called():
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "f", "arguments": {"x": "x" * (2 << 20)}},
    }
    calls, body = LongCalls(None), json.dumps(call).encode()

    async def send(_event: dict) -> None:
        pass

    async def taken(status: int) -> dict:
        """What the SDK parses of the call, which it answers with a status, and whose client leaves."""
        events = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> dict:
            return events.pop(0)

        receiving, sending = await calls.shortened(receive, send)
        message = json.loads((await receiving())["body"])
        await sending({"type": "http.response.start", "status": status})
        assert (await receiving())["type"] == "http.disconnect"
        return message

    refused, accepted = await taken(400), await taken(200)
    assert "arguments" not in accepted["params"]
    assert calls.line_of(refused) is None
    assert calls.line_of(accepted) == body


def response_line(size: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"text": "x" * size}}).encode() + b"\n"


async def test_a_response_is_held_until_its_client_has_read_it_and_above_the_limit_others_are_refused():
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages(most_held=3 << 20)
    responses, sent, may_read = EncodedResponses(), [], asyncio.Event()
    line = response_line(3 << 20)
    place = responses.of(line).model_dump_json()
    assert "do not read" in responses.of(line).error.message

    async def send(event: dict) -> None:
        sent.append(event["body"])
        await may_read.wait()

    event = {"type": "http.response.body", "body": f"data: {place}\r\n\r\n".encode(), "more_body": True}
    sending = asyncio.ensure_future(responses.restored(send)(event))
    while not sent:
        await checkpoint()
    del place
    assert messages.unsent == messages.held == len(line)
    may_read.set()
    await sending
    assert b"".join(sent) == b"data: " + line[:-1] + b"\r\n\r\n"
    assert max(map(len, sent)) == PART
    assert messages.unsent == messages.held == 0


async def test_the_same_holds_for_requests_without_a_session():
    messages = LongMessages._of_loops[asyncio.get_running_loop()] = LongMessages(most_held=3 << 20)
    line, queues = response_line(3 << 20), [SendQueue(), SendQueue()]
    for queue in queues:
        queue.put(line)
    assert await queues[0].get() == line
    assert b"do not read" in await queues[1].get()
    assert messages.unsent == messages.held == len(line)
    del queues, queue
    assert messages.unsent == messages.held == 0
