"""For any behaviour of an SSE server, each request gets a response."""

import json

import pytest

from coatcheck.proxy.upstreams import sse
from tests.wrap.odd_sse_server import ENDPOINTS, POSTED, STREAMED, odd_sse_server
from tests.wrap.running import WRAP

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


def test_each_call_is_answered(connect):
    with odd_sse_server() as url:
        client = connect(wrapped=False, command=[*WRAP, "--sse", "--url", url])
        client.ask("initialize", HELLO)
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        answers = {name: client.call(name.replace(" ", "_"), request_id=name) for name in (*POSTED, *STREAMED)}
        client.close()
    words = {name: answer["result"]["content"][0]["text"] for name, answer in answers.items() if "result" in answer}
    fine = dict.fromkeys(["in the body", "fine", "several lines", "among others"], "fine")
    assert words == fine | {"not utf-8": "fin\ufffd"}
    errors = {name: answer["error"]["message"] for name, answer in answers.items() if "error" in answer}
    assert errors.keys() == {"refused", "cut off", "moved", "broken body", "malformed", "broken"}
    assert all(text.startswith("The server") for text in errors.values())


@pytest.mark.parametrize("endpoint", [name for name, given in ENDPOINTS.items() if given is not None])
def test_an_unusable_endpoint_is_an_error(connect, endpoint):
    with odd_sse_server(endpoint) as url:
        client = connect(wrapped=False, command=[*WRAP, "--sse", "--url", url])
        assert url in client.ask("initialize", HELLO)["error"]["message"]
        client.ended()


@pytest.mark.anyio
async def test_waiting_for_the_endpoint_event_is_bounded(monkeypatch):
    import asyncio

    monkeypatch.setattr(sse, "ENDPOINT_TIMEOUT", 0.01)
    with odd_sse_server("none") as url:
        connection = sse.SseConnection(url, "odd", {})
        ended = asyncio.get_running_loop().create_future()
        connection.start(lambda *_: None, ended.set_result)
        connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize"}).encode())
        assert "no endpoint" in await asyncio.wait_for(ended, 30)
        await connection.close()
