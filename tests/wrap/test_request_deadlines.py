"""Request bodies and headers have deadlines and a shared limit, so that a client that stops sending blocks nothing."""

import asyncio
import itertools
import json
import socket
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel
import httpx2
import pytest
import uvicorn
from mcp.server import MCPServer

from coatcheck.cli import serve_runner, web_server
from coatcheck.cli.listen_options import Listening
from coatcheck.containers import Container
from coatcheck.proxy.front import asgi_middleware
from coatcheck.proxy.front.asgi_middleware import BufferedBodies, DrainingApplication

pytestmark = pytest.mark.anyio
MEBIBYTE = 1 << 20


async def served(application, parts, *, ends: bool) -> list[dict]:
    """Send a request whose body comes in parts and may never end; return the response events."""
    sent: list[dict] = []
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

    async def receive():
        if waiting:
            return waiting.pop(0)
        if ends:
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.get_running_loop().create_future()

    async def send(event):
        sent.append(event)

    await application({"type": "http", "method": "POST", "path": "/mcp", "headers": []}, receive, send)
    return sent


async def echo(_scope, receive, send):
    event = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": event["body"]})


@asynccontextmanager
async def listening(application):
    """Serve an application with our deadlines; yield the address."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, http=web_server.TimedProtocol, log_config=None, lifespan="off"))
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    with anyio.fail_after(60):
        yield bound.getsockname()
        server.should_exit = True
        await serving


async def test_a_body_that_never_ends_is_refused_and_freed(monkeypatch):
    monkeypatch.setattr(asgi_middleware, "IDLE_BODY_TIMEOUT", 0.05)
    bodies = BufferedBodies(echo)
    with anyio.fail_after(60):
        sent = await served(bodies, [b"{"], ends=False)
        assert sent[0]["status"] == 408
        assert (b"connection", b"close") in sent[0]["headers"]
        assert (await served(bodies, [b"{", b"}"], ends=True))[1]["body"] == b"{}"


async def test_long_bodies_share_a_limit_that_admits_small_ones():
    called, may_answer, sizes = asyncio.Event(), asyncio.Event(), []

    async def answers_later(_scope, receive, send):
        sizes.append(len((await receive())["body"]))
        if sizes[-1] > MEBIBYTE:
            called.set()
            await may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    bodies, part = BufferedBodies(answers_later, max_buffered=3 * MEBIBYTE), b"x" * MEBIBYTE
    with anyio.fail_after(60):
        stalled = asyncio.ensure_future(served(bodies, [part] * 2, ends=False))
        processed = asyncio.ensure_future(served(bodies, [part] * 2, ends=True))
        await called.wait()
        waiting = asyncio.ensure_future(served(bodies, [part] * 3, ends=True))
        assert (await served(bodies, [b"x" * 50], ends=True))[0]["status"] == 200
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert sizes == [2 * MEBIBYTE, 50]
        assert bodies._bodies.held == 5 * MEBIBYTE  # of the one that waits, only the first part was read
        stalled.cancel()
        may_answer.set()
        assert (await processed)[0]["status"] == (await waiting)[0]["status"] == 200
        assert bodies._bodies.held == bodies._bodies.processed == 0


async def test_a_long_body_that_waits_for_others_too_long_is_refused(monkeypatch):
    called, part = asyncio.Event(), b"x" * MEBIBYTE

    async def never_answers(_scope, _receive, _send):
        called.set()
        await asyncio.get_running_loop().create_future()

    bodies = BufferedBodies(never_answers, max_buffered=MEBIBYTE)
    with anyio.fail_after(60):
        processed = asyncio.ensure_future(served(bodies, [part] * 2, ends=True))
        await called.wait()
        monkeypatch.setattr(asgi_middleware, "BODY_TIMEOUT", 0.1)
        refused = await served(bodies, [part] * 3, ends=True)
        assert refused[0]["status"] == 503
        assert b"try again later" in refused[1]["body"]
        processed.cancel()


@pytest.mark.parametrize("stateless", [False, True])
async def test_long_bodies_of_serve_share_a_limit_that_admits_small_ones(monkeypatch, stateless):
    monkeypatch.setattr(serve_runner, "MAX_PROCESSED_BYTES", MEBIBYTE)
    called, may_answer, sizes, ids = asyncio.Event(), asyncio.Event(), [], itertools.count()
    server = MCPServer("test")

    @server.tool()
    async def answers_later(text: str) -> int:
        sizes.append(len(text))
        if len(text) > MEBIBYTE:
            called.set()
            await may_answer.wait()
        return len(text)

    _, application = serve_runner.http_application(
        server, Listening("streamable-http", "127.0.0.1", 8000, stateless=stateless)
    )
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    with anyio.fail_after(60):
        async with (
            server.session_manager.run(),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=application), base_url="http://localhost:8000", headers=headers
            ) as http,
        ):

            async def ask(method: str, **params: object) -> httpx2.Response:
                body = json.dumps({"jsonrpc": "2.0", "id": next(ids), "method": method, "params": params}).encode()

                async def parts():
                    for start in range(0, len(body), MEBIBYTE):
                        yield body[start : start + MEBIBYTE]

                return await http.post("/mcp", content=parts(), timeout=60)

            client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            opened = await ask("initialize", **client)
            http.headers |= {name: opened.headers[name] for name in opened.headers if name == "mcp-session-id"}

            async def call(size: int) -> httpx2.Response:
                return await ask("tools/call", name="answers_later", arguments={"text": "x" * size})

            processed = asyncio.ensure_future(call(2 * MEBIBYTE))
            await called.wait()
            waiting = asyncio.ensure_future(call(3 * MEBIBYTE))
            assert "50" in (await call(50)).text
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert sizes == [2 * MEBIBYTE, 50]
            may_answer.set()
            assert str(2 * MEBIBYTE) in (await processed).text
            assert str(3 * MEBIBYTE) in (await waiting).text
            refused = await call(4 * MEBIBYTE)
            assert refused.status_code == 413
            assert "larger than 4 MiB" in refused.json()["error"]["message"]


async def test_a_connection_that_sends_no_request_is_closed(monkeypatch):
    monkeypatch.setattr(web_server, "HEADER_TIMEOUT", 0.1)
    async with listening(echo) as address:
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: x"):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(sent)
            assert await reader.read() == b""
            writer.close()


async def test_idle_connections_stay_open_for_longer_than_clients_reuse_them(monkeypatch):
    seen = []

    class Recorded(web_server.WebServer):
        async def serve(self, sockets):
            seen.append(self.config.timeout_keep_alive)
            sockets[0].close()

    monkeypatch.setattr(web_server, "WebServer", Recorded)
    await web_server.run_web_server(
        DrainingApplication(echo),
        "/mcp",
        Listening("streamable-http", "127.0.0.1", 0),
        Container(),
        lifespan=False,
        verbose=False,
    )
    assert seen[0] > 2 * httpx2.Limits().keepalive_expiry


async def test_a_connection_whose_body_never_ends_is_closed_and_its_request_freed(monkeypatch):
    monkeypatch.setattr(web_server, "REQUEST_TIMEOUT", 0.1)
    left = asyncio.Event()

    async def reads_body(_scope, receive, send):
        while (event := await receive())["type"] == "http.request":
            if not event["more_body"]:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
                await send({"type": "http.response.body", "body": b""})
                return
        left.set()

    async with listening(reads_body) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
        await anyio.lowlevel.checkpoint()
        writer.write(b"abc")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        await left.wait()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_whose_client_reads_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(web_server, "WRITE_TIMEOUT", 0.1)
    left = asyncio.Event()

    async def large(_scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(30 << 20), "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with listening(large) as address:
        with socket.create_connection(address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await left.wait()
