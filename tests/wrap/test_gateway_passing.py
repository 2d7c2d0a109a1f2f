"""What passes a gateway as it came, and what of it is changed."""

import asyncio
import json

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.codec import Spliced
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.gateway import Gateway
from coatcheck.proxy.glances import glance_at_call
from coatcheck.proxy.targets import CommandTarget
from coatcheck.wire.interceptor import Interceptor

GREETING = b'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}'
LONG = "x" * 2_000_000
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
FILE = {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}}


class Server:
    """A link to a server that answers each call with the same."""

    name = "fake"
    sends_apart = joins_servers = False
    waiting_bytes = backlog_bytes = 0

    def __init__(self, answer: bytes, *, other_id_first: bool = False) -> None:
        self.answer = answer
        self.other_id_first = other_id_first
        self.seen: list[bytes] = []

    def start(self, on_message, on_end, on_pressure) -> None:
        self.on_message = on_message

    def hold(self, *, held) -> None:
        pass

    def send(self, line, message=None) -> None:
        asked = json.loads(line)
        self.seen.append(line)
        if "id" in asked:
            part = b'"result":' + GREETING if asked["method"] == "initialize" else self.answer
            line = (
                b'{"jsonrpc":"2.0","id":8,%b,"id":%d}\n' if self.other_id_first else b'{"jsonrpc":"2.0","id":%d,%b}\n'
            )
            self.on_message(line % ((part, asked["id"]) if self.other_id_first else (asked["id"], part)), None)

    async def close(self) -> None:
        pass


def called(monkeypatch, answer: bytes, line: bytes = b"", message=None) -> tuple[bytes, bytes]:
    """Call a tool through a gateway; give the line that the client gets and the one that the server got."""
    server = Server(answer)
    monkeypatch.setattr("coatcheck.proxy.gateway.gateway.make_link", lambda _target: server)
    line = line or b'{"jsonrpc":"2.0","id":"seven","method":"tools/call","params":{"name":"one__f","arguments":{}}}\n'

    async def story() -> bytes:
        gateway = Gateway({"one": CommandTarget("one", ("none",))})
        came: asyncio.Queue[bytes] = asyncio.Queue()
        gateway.start(lambda line, _key: came.put_nowait(line), lambda _text: None)
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        gateway.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode())
        await asyncio.wait_for(came.get(), 5)
        gateway.send(line, message)
        answered = await asyncio.wait_for(came.get(), 5)
        await gateway.close()
        return answered

    return asyncio.run(story()), server.seen[-1]


@pytest.mark.parametrize(
    "answer",
    [
        b'"result":{"content":[ {"type":"text","text":"\\u0061"} ], "x": 2.50}',
        b'"result":{"content":[],"structuredContent":{"rows":["%b", 1.50]}}' % LONG.encode(),
        b'"result":{"content":[{"type":"text","text":"%b \\"resourceful\\" \\u0061"}]}' % LONG.encode(),
        b'"error":{"code":-32000,"message":"no","data":[ 1.50, "%b"]}' % LONG.encode(),
        b'"result":{"content":[],"_meta":%b}' % (b'{"a":' * 4000 + b"1" + b"}" * 4000),
    ],
    ids=["short", "rows", "text", "error", "deep"],
)
def test_an_answer_passes_as_it_came_but_for_its_id(monkeypatch, answer):
    came, _ = called(monkeypatch, answer)
    assert came == b'{"jsonrpc":"2.0","id":"seven",%b}\n' % answer


@pytest.mark.parametrize("long", ["", LONG], ids=["short", "long"])
def test_addresses_and_tasks_in_an_answer_are_those_of_their_server(monkeypatch, long):
    result = {"content": [{"type": "text", "text": long}, LINK, FILE], "task": {"taskId": "t"}, "taskId": "t"}
    came, _ = called(monkeypatch, b'"result":' + json.dumps(result).encode())
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
        came, _ = called(monkeypatch, b'"result":' + json.dumps({"x": long, **part}).encode())
        assert json.loads(came)["result"] == {"x": long, **there}


def test_a_long_answer_that_is_no_json_is_still_an_answer(monkeypatch):
    came, _ = called(monkeypatch, b'"result":{"content":[],"structuredContent":{"rows":["%b"]}} \r' % LONG.encode())
    assert json.loads(came)["id"] == "seven"


def test_of_a_call_its_long_texts_pass_as_they_came(monkeypatch):
    text = b"\\u0061" + LONG.encode()
    params = b'{"name":"one__f","arguments":{"a":"%b","b":[ 1.50 ]}}' % text
    line = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%b}\n' % params
    for message in (glance_at_call(line), None):
        came, seen = called(monkeypatch, b'"result":{"content":[]}', line, message)
        assert came == b'{"jsonrpc":"2.0","id":7,"result":{"content":[]}}\n'
        assert json.loads(seen)["params"] == {"name": "f", "arguments": {"a": "a" + LONG, "b": [1.5]}}
        assert (text in seen) is (message is not None)


def test_what_was_put_into_a_call_passes_as_it_is(monkeypatch):
    rows = b'["%b", 1.50]' % LONG.encode()
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
    message = {**call, "params": {"name": "one__f", "arguments": {"rows": Spliced(rows)}}}
    _, seen = called(monkeypatch, b'"result":{"content":[]}', b"not looked at", message)
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
def test_an_answer_of_one_server_is_never_taken_for_anothers(monkeypatch, long, more, first):
    server = Server(b'"result":{"content":[{"type":"text","text":"%b"}]}%b' % (long, more), other_id_first=first)
    monkeypatch.setattr("coatcheck.proxy.gateway.gateway.make_link", lambda _target: server)
    call = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"one__f","arguments":{}}}\n'

    async def story() -> bytes:
        gateway = Gateway({"one": CommandTarget("one", ("none",))})
        came: asyncio.Queue[bytes] = asyncio.Queue()
        ready = asyncio.get_running_loop().create_future()
        ready.set_result(Interceptor(Explorer(ObjectStore(InMemoryBackend()))))
        conversation = Conversation(
            came.put_nowait, gateway.send, ready, on_noise=lambda line: came.put_nowait(b"!" + line)
        )
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

    message = json.loads(asyncio.run(story()))
    assert message["id"] == 7
    assert "method" not in message
    assert "error" in message or message["result"]["content"]
