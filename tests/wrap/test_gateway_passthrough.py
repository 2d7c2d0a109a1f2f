"""Messages that pass a gateway unchanged, and parts that the gateway changes."""

import asyncio
import json
from unittest import mock

import pytest
from anyio.lowlevel import checkpoint

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import Spliced
from coatcheck.codec.chunked import yield_budget
from coatcheck.errors import UpstreamError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.shared_connection import SharedConnection
from coatcheck.proxy.gateway import Gateway
from coatcheck.proxy.gateway.upstream import State, Upstream
from coatcheck.proxy.partial_parsing import parse_call_partially
from coatcheck.proxy.upstreams.targets import CommandTarget
from tests.waiting import until

INITIALIZE = b'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}'
LONG = "x" * 2_000_000
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
FILE = {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}}


class Server:
    """A connection to a server with a fixed answer to each call."""

    name = "fake"
    sends_separately = is_gateway = unparsed = False
    unsent_bytes = backlog_bytes = 0

    def __init__(self, answer: bytes, *, other_id_first: bool = False) -> None:
        self.answer = answer
        self.other_id_first = other_id_first
        self.seen: list[bytes] = []

    def start(self, on_message, on_end, on_pressure) -> None:
        self.on_message = on_message

    def set_paused(self, *, paused) -> None:
        pass

    def send(self, line, message=None) -> None:
        asked = json.loads(line)
        self.seen.append(line)
        if "id" in asked:
            part = b'"result":' + INITIALIZE if asked["method"] == "initialize" else self.answer
            line = (
                b'{"jsonrpc":"2.0","id":8,%b,"id":%d}\n' if self.other_id_first else b'{"jsonrpc":"2.0","id":%d,%b}\n'
            )
            self.on_message(line % ((part, asked["id"]) if self.other_id_first else (asked["id"], part)), None)

    async def close(self) -> None:
        pass


def call_through_gateway(
    monkeypatch, answer: bytes, line: bytes = b"", message=None, *, unparsed=True
) -> tuple[bytes, bytes]:
    """Call a tool through a gateway; return the line that the client receives and the one that the server received."""
    server = Server(answer)
    monkeypatch.setattr("coatcheck.proxy.gateway.gateway.make_connection", lambda _target: server)
    line = line or b'{"jsonrpc":"2.0","id":"seven","method":"tools/call","params":{"name":"one__f","arguments":{}}}\n'

    async def scenario() -> bytes:
        gateway = Gateway({"one": CommandTarget("one", ("none",))})
        gateway.unparsed = unparsed
        came: asyncio.Queue[bytes] = asyncio.Queue()
        gateway.start(lambda line, _key: came.put_nowait(line), lambda _text: None)
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        gateway.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode())
        await asyncio.wait_for(came.get(), 5)
        gateway.send(line, message)
        answered = await asyncio.wait_for(came.get(), 5)
        await gateway.close()
        return answered

    return asyncio.run(scenario()), server.seen[-1]


@pytest.mark.parametrize(
    "answer",
    [
        b'"result":{"content":[ {"type":"text","text":"\\u0061"} ], "x": 2.50}',
        b'"result":{"content":[],"structuredContent":{"rows":["%b", 1.50]}}' % LONG.encode(),
        b'"result":{"content":[{"type":"text","text":"%b \\"resourceful\\" \\u0061"}]}' % LONG.encode(),
        b'"error":{"code":-32000,"message":"no","data":[ 1.50, "%b"]}' % LONG.encode(),
    ],
    ids=["short", "rows", "text", "error"],
)
def test_a_response_passes_unchanged_except_for_its_id(monkeypatch, answer):
    expected = b'{"jsonrpc":"2.0","id":"seven",%b}\n' % answer
    came, _ = call_through_gateway(monkeypatch, answer)
    assert came == expected
    came, _ = call_through_gateway(monkeypatch, answer, unparsed=False)
    assert json.loads(came) == json.loads(expected)
    assert came == expected or len(answer) > 1_000_000


@pytest.mark.parametrize("long", ["", LONG], ids=["short", "long"])
def test_uris_and_tasks_in_a_response_get_the_prefix_of_their_server(monkeypatch, long):
    result = {"content": [{"type": "text", "text": long}, LINK, FILE], "task": {"taskId": "t"}, "taskId": "t"}
    came, _ = call_through_gateway(monkeypatch, b'"result":' + json.dumps(result).encode())
    expected = {
        "content": [
            {"type": "text", "text": long},
            {**LINK, "uri": "one+file:///a"},
            {"type": "resource", "resource": {"uri": "one+file:///b", "text": "b"}},
        ],
        "task": {"taskId": "one__t"},
        "taskId": "one__t",
    }
    assert json.loads(came) == {"jsonrpc": "2.0", "id": "seven", "result": expected}
    for part, there in (
        ({"taskId": "t"}, {"taskId": "one__t"}),
        ({"content": [FILE]}, {"content": [expected["content"][2]]}),
    ):
        came, _ = call_through_gateway(monkeypatch, b'"result":' + json.dumps({"x": long, **part}).encode())
        assert json.loads(came)["result"] == {"x": long, **there}


@pytest.mark.parametrize("unparsed", [True, False])
@pytest.mark.parametrize(
    "odd",
    [b"[" * 4000 + b"]" * 4000, b'"%b' % LONG.encode(), b'["%b"' % LONG.encode(), b'["%b"] \r' % LONG.encode()],
    ids=["deep", "cut off", "open", "a return"],
)
def test_an_unreadable_response_is_still_a_response(monkeypatch, odd, unparsed):
    came, _ = call_through_gateway(
        monkeypatch, b'"result":{"content":[],"structuredContent":{"rows":%b}}' % odd, unparsed=unparsed
    )
    assert b'"id":"seven"' in came


def test_names_with_json_escapes_are_found(monkeypatch):
    answer = b'"result":{"content":[{"type":"\\u0072esource_link","uri":"file:///a","name":"%b"}]}' % LONG.encode()
    came, _ = call_through_gateway(monkeypatch, answer)
    assert json.loads(came)["result"]["content"][0]["uri"] == "one+file:///a"


def test_long_texts_of_a_call_pass_unchanged(monkeypatch):
    text = b"\\u0061" + LONG.encode()
    params = b'{"name":"one__f","arguments":{"a":"%b","b":[ 1.50 ]}}' % text
    line = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%b}\n' % params
    for message in (parse_call_partially(line), None):
        came, seen = call_through_gateway(monkeypatch, b'"result":{"content":[]}', line, message)
        assert came == b'{"jsonrpc":"2.0","id":7,"result":{"content":[]}}\n'
        assert json.loads(seen)["params"] == {"name": "f", "arguments": {"a": "a" + LONG, "b": [1.5]}}
        assert (text in seen) is (message is not None)


def test_resolved_references_pass_unchanged(monkeypatch):
    rows = b'["%b", 1.50]' % LONG.encode()
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
    message = {**call, "params": {"name": "one__f", "arguments": {"rows": Spliced(rows)}}}
    _, seen = call_through_gateway(monkeypatch, b'"result":{"content":[]}', b"not looked at", message)
    assert rows in seen
    assert json.loads(seen)["params"] == {"name": "f", "arguments": {"rows": json.loads(rows)}}


@pytest.mark.parametrize(
    ("long", "more", "first"),
    [
        (b"", b"", True),
        (LONG.encode(), b"", True),
        (LONG.encode(), b',"id":8', False),
        (LONG.encode(), b',"id":8,"z":{}', False),
        (LONG.encode(), b',"id":null', False),
        (LONG.encode(), b',"method":"sampling/createMessage","params":{}', False),
        (LONG.encode(), b',"x":' + b"[" * 4000 + b"]" * 4000, False),
        (LONG.encode(), b',"x":', False),
        (b"", b',"x":' + b"[" * 4000 + b"]" * 4000, False),
    ],
)
def test_a_response_of_one_server_is_never_used_for_another(monkeypatch, long, more, first):
    server = Server(b'"result":{"content":[{"type":"text","text":"%b"}]}%b' % (long, more), other_id_first=first)
    monkeypatch.setattr("coatcheck.proxy.gateway.gateway.make_connection", lambda _target: server)
    call = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"one__f","arguments":{}}}\n'

    async def scenario() -> bytes:
        gateway = Gateway({"one": CommandTarget("one", ("none",))})
        came: asyncio.Queue[bytes] = asyncio.Queue()
        ready = asyncio.get_running_loop().create_future()
        ready.set_result(Interceptor(Explorer(ObjectStore(InMemoryBackend()))))
        conversation = Conversation(
            came.put_nowait,
            gateway.send,
            ready,
            on_stray_output=lambda line: came.put_nowait(b"!" + line),
            is_gateway=True,
        )
        gateway.unparsed = True
        gateway.start(conversation.from_server, lambda _text: None)
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        conversation.from_client(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode()
        )
        await asyncio.wait_for(came.get(), 5)
        conversation.from_client(call)
        answered = await asyncio.wait_for(came.get(), 5)
        await gateway.close()
        return answered

    message = json.loads(asyncio.run(scenario()))
    assert message["id"] == 7
    assert "method" not in message
    assert "error" in message or message["result"]["content"]


META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


@pytest.mark.parametrize("long", [b"", b"x" * 100_000, LONG.encode()], ids=["short", "longer", "long"])
@pytest.mark.parametrize("way", ["alone", "shared", "gateway"])
def test_a_response_with_two_ids_ends_both_requests_with_errors(way, long):
    """Parsers read the last one, or the first: the other request would stay open."""
    server = ModernServer(b"")

    async def scenario() -> list[bytes]:
        got: list[bytes] = []
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "f", "arguments": {}}}
        ids = (1, 2)
        if way == "alone":
            ready = asyncio.get_running_loop().create_future()
            ready.set_result(Interceptor(Explorer(ObjectStore(InMemoryBackend()))))
            conversation = Conversation(got.append, server.send, ready, on_stray_output=got.append)
            server.start(conversation.from_server, None, None)
            for number in ids:
                conversation.from_client(json.dumps({**call, "id": number}).encode())
        elif way == "shared":
            shared = SharedConnection(lambda: server)
            stream = shared.stream(got.append)
            for number in ids:
                stream.send(b"", {**call, "id": number})
        else:
            upstream = Upstream("one", lambda: server, mock.Mock())
            upstream.open()
            answers = [asyncio.ensure_future(upstream.pass_on(call, {})) for _ in ids]
            for answer in answers:
                answer.add_done_callback(lambda done: got.append(done.result().line))
        await until(lambda: len(server.seen) == len(ids), "both calls have arrived")
        ids = tuple(asked["id"] for asked in server.seen)
        server.receive_message(b'"id":%d,"result":{"content":[],"x":"%b"},"id":%d' % (ids[0], long, ids[1]))
        await until(lambda: len(got) == len(ids), "both are answered")
        return got

    for line in asyncio.run(scenario()):
        assert "two ids" in json.loads(line)["error"]["message"]


class ModernServer(Server):
    """A modern server that answers calls on command."""

    def send(self, line, message=None) -> None:
        asked = json.loads(line)
        self.seen.append(asked)
        result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "tools": []}
        if asked["method"] != "tools/call":
            self.receive_message(b'"id":%d,"result":%b' % (asked["id"], json.dumps(result).encode()))

    def receive_message(self, members: bytes) -> None:
        self.on_message(b'{"jsonrpc":"2.0",%b}\n' % members, None)


@pytest.mark.parametrize("text", [b"short", b"x" * 100_000, LONG.encode()], ids=["short", "longer", "long"])
def test_responses_of_shared_servers_are_not_mixed_up(monkeypatch, text):
    servers = {"good": ModernServer(b""), "evil": ModernServer(b"")}
    monkeypatch.setattr("coatcheck.proxy.gateway.gateway.make_connection", servers.get)

    def call(name: str, request_id: str) -> dict:
        params = {"name": name, "arguments": {}, "_meta": META}
        return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}

    def calls_of(server: ModernServer) -> list[int]:
        return [asked["id"] for asked in server.seen if asked["method"] == "tools/call"]

    async def scenario() -> None:
        shared = SharedConnection(lambda: Gateway({"good": "good", "evil": "evil"}))
        got: dict[str, list[bytes]] = {"client of evil": [], "client of good": []}
        streams = {who: shared.stream(lines.append) for who, lines in got.items()}
        streams["client of evil"].send(b"", {**call("", "list"), "method": "tools/list"})
        await until(lambda: got["client of evil"], "the list has arrived")
        streams["client of evil"].send(b"", call("evil__f", "e"))
        streams["client of good"].send(b"", call("good__f", "g"))
        await until(lambda: all(map(calls_of, servers.values())), "both servers were called")
        (own,) = calls_of(servers["evil"])
        result = b'"result":{"content":[{"type":"text","text":"%b"}]}' % text
        for other in (*range(own), *range(own + 1, own + 9)):
            servers["evil"].receive_message(b'"id":%d,%b,"id":%d' % (other, result, own))
        servers["evil"].receive_message(b'"id":%d,%b' % (own, result))
        await until(lambda: len(got["client of evil"]) > 1, "the response has arrived")
        assert [json.loads(line)["id"] for line in got["client of evil"]] == ["list", "e"]
        assert got["client of good"] == []
        await shared.close()

    asyncio.run(scenario())


ASKED = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
ROWS = [{"id": number, "name": f"user {number}"} for number in range(60_000)]


class ServerOnCommand(Server):
    """A server that answers on command."""

    def start(self, on_message, on_end, on_pressure) -> None:
        self.on_message, self.on_end = on_message, on_end

    def send(self, line, message=None) -> None:
        self.seen.append(line)


class IgnoringListener:
    """Ignores all events of a member."""

    def on_message(self, *_) -> None:
        pass

    on_pressure = on_state_change = on_message


def running(links: list[ServerOnCommand]) -> Upstream:
    def make_connection() -> ServerOnCommand:
        links.append(ServerOnCommand(b""))
        return links[-1]

    member = Upstream("one", make_connection, IgnoringListener())
    member.open()
    member.state = State.RUNNING
    return member


def test_a_response_that_arrived_before_its_server_exited_is_not_lost():
    async def scenario() -> None:
        links: list[ServerOnCommand] = []
        member = running(links)
        asking = asyncio.ensure_future(member.request("tools/list", {}))
        await until(lambda: links[0].seen, "it was asked")
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": ROWS}}).encode()
        assert len(line) > 1_000_000
        links[0].on_message(line, None)
        links[0].on_end("it ended")
        assert (await asyncio.wait_for(asking, 5))["result"]["tools"] == ROWS
        await member.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("ends", ["goes away", "is cancelled"])
def test_a_request_is_not_sent_to_a_restarted_server(monkeypatch, ends):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)

    async def scenario() -> None:
        links: list[ServerOnCommand] = []
        member = running(links)
        asking = asyncio.ensure_future(member.pass_on(ASKED, {"name": "f", "arguments": {"rows": ROWS * 4}}))
        await checkpoint()
        await checkpoint()
        assert not links[0].seen
        if ends == "is cancelled":
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            links[0].on_end("it ended")
            member.state = State.WAITING
            member.open()
            with pytest.raises(UpstreamError):
                await asyncio.wait_for(asking, 5)
        assert [link.seen for link in links] == [[]] * len(links)
        await member.close()

    asyncio.run(scenario())


class EndingServer(Server):
    """A server that ends when it receives a request."""

    def start(self, on_message, on_end, on_pressure) -> None:
        self.on_end = on_end

    def send(self, line, message=None) -> None:
        self.on_end("It ended.")


def test_a_server_that_ends_during_the_handshake_is_down_once(caplog):
    async def scenario() -> str:
        upstream = Upstream("one", lambda: EndingServer(b""), mock.Mock())
        await upstream.handshake({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
        state = upstream.describe()
        await upstream.close()
        return state

    assert asyncio.run(scenario()) == "down, tried again in 1 s. It ended."
    assert [record.message for record in caplog.records] == ["one: It ended."]
