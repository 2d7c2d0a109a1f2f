"""Servers by URL that violate the specification: each request still gets one response."""

import contextlib
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import anyio.lowlevel
import httpx2
import pytest

from coatcheck.proxy.upstreams import http_client
from coatcheck.proxy.upstreams.http_client import MAX_RESPONSE_BYTES
from tests.wrap.running import WRAP

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
INFO = {"capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"}, "protocolVersion": "2025-11-25"}


def result(request_id, **members) -> dict:
    return {"jsonrpc": "2.0", "id": request_id, "result": members}


@contextlib.contextmanager
def server_with_ping(answers):
    """Serve a valid ``initialize``, and ``ping`` by a function from the request's id to headers and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers, body = {"content-type": "application/json"}, b""
            if message.get("method") == "initialize":
                body = json.dumps(result(message["id"], **INFO)).encode()
            elif message.get("method") == "ping":
                headers, body = answers(message["id"])
            self.send_response(200 if body else 202)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.send_error(405)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mcp"
        finally:
            server.shutdown()
            thread.join()


JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}


def event(message, fields: str = "") -> bytes:
    return f"{fields}data: {json.dumps(message)}\n\n".encode()


@pytest.mark.parametrize(
    "answers",
    [
        lambda _id: (JSON, json.dumps(result("another")).encode()),
        lambda _id: (JSON, json.dumps([result("another"), {"no": "message"}]).encode()),
        lambda _id: (JSON, b"[]"),
        lambda _id: (JSON, b'"a text"'),
        lambda _id: (EVENTS, event(result("another"))),
        lambda _id: (JSON | {"content-encoding": "zstd"}, b"\x28\xb5\x2f\xfd"),
        lambda _id: (
            JSON | {"content-encoding": "gzip"},
            gzip.compress(b'"%b"' % (b"a" * (MAX_RESPONSE_BYTES + 1)), 9),
        ),
    ],
    ids=[
        "another id",
        "a batch of others",
        "an empty batch",
        "a text",
        "an event of another",
        "zstd",
        "gzip that expands",
    ],
)
def test_a_request_with_an_invalid_response_gets_an_error(connect, answers):
    with server_with_ping(answers) as url:
        client = connect(wrapped=False, command=[*WRAP, "--url", url])
        client.ask("initialize", HELLO)
        answer = client.ask("ping", request_id=7)
        assert url in answer["error"]["message"]
        assert client.ask("initialize", HELLO, request_id=8)["result"]["serverInfo"]["name"] == "odd"
        client.close()


def test_the_response_is_found_in_a_batch(connect):
    with server_with_ping(lambda key: (JSON, json.dumps([result("another"), result(key, found=True)]).encode())) as url:
        client = connect(wrapped=False, command=[*WRAP, "--url", url])
        client.ask("initialize", HELLO)
        assert client.ask("ping", request_id=7)["result"] == {"found": True}
        client.close()


def test_an_sse_server_with_an_invalid_endpoint_is_reported(connect):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"event: endpoint\ndata: /\x01\n\n")
            self.rfile.read(1)  # until the client has disconnected

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = connect(wrapped=False, command=[*WRAP, "--sse", "--url", f"http://127.0.0.1:{server.server_port}/sse"])
        assert "cannot be reached" in client.ask("initialize", HELLO)["error"]["message"]
        assert client.ended() == 1
        assert "Traceback" not in client.stderr
        server.shutdown()


def test_the_retry_delay_of_a_server_is_bounded():
    from coatcheck.proxy.upstreams.streamable_http import MAX_RETRY_MILLISECONDS, resume_delay

    assert resume_delay(10) == 0.01
    assert resume_delay(999_999_999_999) == MAX_RETRY_MILLISECONDS / 1000


@pytest.mark.anyio
async def test_a_compressed_stream_without_events_is_bounded_and_gives_other_tasks_turns(monkeypatch):
    monkeypatch.setattr(http_client, "MAX_RESPONSE_BYTES", 2 << 20)
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}

    async def body():
        yield gzip.compress(b":\n" * (4 << 20))

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, headers=headers, content=body()))
    async with (
        httpx2.AsyncClient(transport=transport) as client,
        client.stream("GET", "http://localhost/") as response,
        anyio.create_task_group() as counting,
    ):
        counting.start_soon(count)
        with pytest.raises(ValueError, match="larger than"):
            _ = [event async for event in http_client.read_events(response)]
        counting.cancel_scope.cancel()
    assert turns > 100
