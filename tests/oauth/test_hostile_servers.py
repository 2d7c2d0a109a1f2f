"""Attacks on a sign-in: by other pages in the browser, and by misbehaving authorization servers."""

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from coatcheck.errors import UpstreamError
from coatcheck.proxy.upstreams.loopback_redirect import LoopbackRedirect
from coatcheck.proxy.upstreams.oauth import OAuth
from coatcheck.proxy.upstreams.token_storage import SignIn, TokenStorage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_only_the_redirect_with_the_right_state_is_accepted():
    async with LoopbackRedirect() as redirect, httpx2.AsyncClient() as browser:
        assert (await browser.get(redirect.uri, params={"code": "early", "state": ""})).status_code == 400
        redirect.expect("http://127.0.0.1/authorize?state=ours")
        assert (await browser.get(redirect.uri, params={"code": "evil", "state": "theirs"})).status_code == 400
        assert (await browser.get(redirect.uri, params={"code": "evil"})).status_code == 400
        assert (await browser.get(redirect.uri.replace("/callback", "/"))).status_code == 404
        assert (await browser.post(redirect.uri, params={"code": "evil", "state": "ours"})).status_code == 404
        assert (await browser.get(redirect.uri, params={"code": "c", "state": "ours"})).status_code == 200
        await browser.get(redirect.uri, params={"code": "second", "state": "ours"})
        assert await redirect.wait() == {"code": "c", "state": "ours"}


async def test_the_page_escapes_text_of_the_server():
    async with LoopbackRedirect() as redirect, httpx2.AsyncClient() as browser:
        redirect.expect("http://127.0.0.1/authorize?state=ours")
        params = {"error": "x", "error_description": "<script>alert(1)</script>", "state": "ours"}
        page = (await browser.get(redirect.uri, params=params)).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


async def test_a_connection_that_sends_too_much_or_nothing_is_closed():
    async with LoopbackRedirect() as redirect:
        port = urlsplit(redirect.uri).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /" + b"a" * 100_000)
        await writer.drain()
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


@contextmanager
def http_server(answer):
    """A server that responds with the status, headers and body that ``answer(method, path, body)`` returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            size = int(self.headers.get("content-length", 0))
            status, headers, body = answer(self, self.command, self.path, self.rfile.read(size))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def bearer(origin):
    challenge = f'Bearer resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp"'
    return 401, {"www-authenticate": challenge}, b"{}"


def as_json(value):
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def documents(origin):
    return {
        "/.well-known/oauth-protected-resource/mcp": {
            "resource": f"{origin}/mcp",
            "authorization_servers": [origin],
        },
        "/.well-known/oauth-authorization-server": {
            "issuer": origin,
            "authorization_endpoint": f"{origin}/authorize",
            "token_endpoint": f"{origin}/token",
            "registration_endpoint": f"{origin}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        },
    }


def origin_of(handler):
    return f"http://{handler.headers['host']}"


async def rejection_of(origin, storage, caplog, open_page=None):
    auth = OAuth(f"{origin}/mcp", storage, open_page=open_page or (lambda _url: True))
    async with httpx2.AsyncClient(auth=auth, timeout=30) as client:
        response = await client.post(f"{origin}/mcp", json={})
        again = await client.post(f"{origin}/mcp", json={})
    assert (response.status_code, again.status_code) == (401, 401)
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("coatcheck")]
    assert len(messages) == 1
    assert "Traceback" not in caplog.text
    return messages[0]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/.well-known/oauth-authorization-server", b"x" * (2 << 20), "is too long"),
        ("/.well-known/oauth-protected-resource/mcp", b"x" * (2 << 20), "is too long"),
        ("/register", b"[]", "failed"),
        ("/register", b"{}", "failed"),
        ("/.well-known/oauth-protected-resource/mcp", b'{"resource": "https://other.example/mcp", "authorization_servers": ["https://other.example"]}', "does not match"),
    ],
)  # fmt: skip
async def test_a_misbehaving_authorization_server_ends_in_one_line(tmp_path, caplog, path, body, message):
    def answer(handler, _method, asked, _body):
        if asked == path:
            return (201 if asked == "/register" else 200), {"content-type": "application/json"}, body
        found = documents(origin_of(handler)).get(asked)
        return as_json(found) if found else bearer(origin_of(handler))

    with http_server(answer) as origin:
        assert message in await rejection_of(origin, TokenStorage(tmp_path), caplog)


def answering_server(handler, _method, asked, body):
    """An authorization server that issues the token ``new``, and refuses to refresh."""
    origin = origin_of(handler)
    if handler.headers.get("authorization") == "Bearer new":
        return as_json({})
    if asked == "/register":
        return 201, {"content-type": "application/json"}, json.dumps({**json.loads(body), "client_id": "c"}).encode()
    if asked == "/token":
        if parse_qs(body.decode())["grant_type"] == ["refresh_token"]:
            return 400, {"content-type": "application/json"}, b'{"error": "invalid_grant"}'
        return as_json({"access_token": "new", "token_type": "bearer", "expires_in": 60})
    found = documents(origin).get(asked)
    return as_json(found) if found else bearer(origin)


def approve(url):
    """Follow the redirect, like the browser after consent."""
    query = parse_qs(urlsplit(url).query)
    with httpx2.Client() as client:
        client.get(query["redirect_uri"][0], params={"code": "c", "state": query["state"][0]})


async def test_a_sign_in_continues_when_its_request_is_cancelled(tmp_path):
    loop, opened = asyncio.get_running_loop(), []
    shown = asyncio.Event()

    def browser(url):
        opened.append(url)
        loop.call_soon_threadsafe(shown.set)
        return True

    with http_server(answering_server) as origin:
        url = f"{origin}/mcp"
        auth = OAuth(url, TokenStorage(tmp_path), open_page=browser)
        async with httpx2.AsyncClient(auth=auth, timeout=30) as client, asyncio.timeout(60):
            request = asyncio.ensure_future(client.post(url, json={}))
            await shown.wait()
            request.cancel()
            await asyncio.wait({request})
            again = asyncio.ensure_future(client.post(url, json={}))
            await asyncio.to_thread(approve, opened[0])
            assert (await again).status_code == 200
    assert len(opened) == 1


async def test_a_refused_refresh_leads_to_a_sign_in(tmp_path):
    opened = []

    def browser(url):
        opened.append(url)
        approve(url)
        return True

    with http_server(answering_server) as origin:
        storage, url = TokenStorage(tmp_path), f"{origin}/mcp"
        old = SignIn(
            url,
            {"access_token": "old", "token_type": "Bearer", "refresh_token": "r"},
            1.0,
            {"client_id": "c", "redirect_uris": ["http://127.0.0.1:1/callback"]},
            documents(origin)["/.well-known/oauth-authorization-server"],
        )
        storage.save(old)
        async with httpx2.AsyncClient(auth=OAuth(url, storage, open_page=browser), timeout=30) as client:
            assert (await client.post(url, json={})).status_code == 200
        assert storage.load(url).access_token == "new"
    assert len(opened) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tokens": 5, "expires_at": "x"}', '{"keyring": true}'])
def test_a_damaged_sign_in_file_counts_as_no_sign_in(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    storage = TokenStorage(tmp_path)
    storage.save(SignIn("u", {"access_token": "t"}))
    (path,) = tmp_path.glob("*.json")
    path.write_text(text)
    assert storage.load("u") == SignIn("u")


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UpstreamError, match="cannot be kept in"):
        TokenStorage(tmp_path / "file" / "folder").save(SignIn("u"))


def test_no_token_is_shown_by_repr():
    assert "topsecret" not in repr(SignIn("u", {"access_token": "topsecret"}))
