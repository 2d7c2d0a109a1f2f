"""Servers that are wrapped by URL, with a client over stdio."""

import contextlib
import datetime
import http.server
import ipaddress
import subprocess
import sys
import threading

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.ports import free_port, wait_until_listening
from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.wrap.running import HERE, WRAP, appears, serving, wrap_on_stdio

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("kind", ["streamable HTTP", "SSE"])
async def test_a_server_by_url_works_like_one_by_command(feature_url, sse_url, kind, mode):
    flags = ["--url", feature_url] if kind == "streamable HTTP" else ["--url", sse_url, "--sse"]
    progress = []

    async def on_progress(done, _total, _message) -> None:
        progress.append(done)

    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags), mode=mode) as client:
            assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"text", "steps", "object_store_get"} <= tools
            large = text_of(await client.call_tool("text", {"size": 20_000}))
            assert len(large) <= 4_000
            assert text_of(await client.call_tool("length", {"value": reference_in(large)})) == "20000"
            assert text_of(await client.call_tool("steps", {}, progress_callback=on_progress)) == "done"
            assert progress == [1, 2, 3]
            assert (await client.read_resource("demo://greeting")).contents[0].text == "Hello."
            assert (await client.get_prompt("summary", {"subject": "it"})).messages[0].content.text == "Summarise it."
            assert (await client.call_tool("nothing", {})).is_error


async def test_headers_and_tokens_come_from_variables_and_appear_in_no_command_line(feature_url):
    flags = ["--url", feature_url, "--header", "X-Key: a $FIRST", "--token-variable", "SECOND"]
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, FIRST="sesame", SECOND="tok en")) as client:
            sent = (await client.call_tool("headers", {})).structured_content
            assert sent["x-key"] == "a sesame"
            assert sent["authorization"] == "Bearer tok en"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--url", "http://127.0.0.1:1/mcp", "--header", "X: $NOT_SET_HERE"], "NOT_SET_HERE"),
        (["--url", "http://127.0.0.1:1/mcp", "--token-variable", "NOT_SET_HERE"], "NOT_SET_HERE"),
        (["--url", "ftp://example.org"], "https://"),
        (["--url", "http://[x/mcp"], "malformed"),
        (["--url", "http://example.org:port/mcp"], "malformed"),
        (["--url", "http://\N{PARTY POPPER}/mcp"], "malformed"),
        (["--url", "http://example.org/\x01"], "malformed"),
        (["--url", "http://example.org", "--", "cat"], "not both"),
        (["--sse", "--", "cat"], "--url"),
        (["--url", "https://example.org", "--ca-file", "/no/such/file"], "/no/such/file"),
    ],
)
def test_invalid_flags_are_refused_with_a_suggestion(flags, message):
    ended = subprocess.run([*WRAP, *flags], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_without_a_server_to_wrap_the_error_lists_the_three_ways_to_name_one():
    ended = subprocess.run(WRAP, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 2
    assert "--servers" in ended.stderr
    assert "--url" in ended.stderr


def test_a_secret_in_a_header_on_the_command_line_causes_a_warning_that_does_not_repeat_it(feature_url):
    flags = ["--url", feature_url, "--header", "Authorization: Bearer hunter2"]
    ended = subprocess.run([*WRAP, *flags], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 0
    assert "process list" in ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--url", "http://127.0.0.1:{closed}/mcp"], "nothing listens at that address"),
        (["--url", "https://127.0.0.1:{open}/mcp"], "begins with http://"),
        (["--url", "http://127.0.0.1:{open}/elsewhere"], "Check the path"),
        (["--url", "http://127.0.0.1:{open}/mcp", "--sse"], "Leave out --sse if it uses streamable HTTP"),
        (["--url", "http://no-such-host.invalid/mcp"], "there is no such host"),
    ],
)
def test_an_unreachable_url_is_reported_to_the_client_and_on_stderr(connect, feature_url, flags, message):
    ports = {"closed": free_port(), "open": feature_url.partition("127.0.0.1:")[2].partition("/")[0]}
    client = connect(wrapped=False, command=[*WRAP, *(flag.format(**ports) for flag in flags)])
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    assert message in client.ask("initialize", hello)["error"]["message"]
    client.close()
    assert message in client.stderr
    assert "Traceback" not in client.stderr


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_unreachable_server_is_reported_without_the_secrets_in_its_url(mode):
    url = f"http://user:hunter2@127.0.0.1:{free_port()}/mcp?key=hunter3"
    with anyio.fail_after(60), pytest.raises(ExceptionGroup) as raised:
        async with Client(wrap_on_stdio("--url", url), mode=mode):
            pass
    error = raised.value.exceptions[0]
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MCPError)
    assert "cannot be reached" in str(error)
    assert "hunter" not in str(error)


async def test_a_lost_session_is_opened_again_and_the_call_succeeds():
    port = free_port()
    with anyio.fail_after(90), contextlib.ExitStack() as servers:
        first = servers.enter_context(serving("streamable-http", port=port, python=sys.executable))
        async with Client(wrap_on_stdio("--url", f"http://127.0.0.1:{port}/mcp"), mode="legacy") as client:
            assert text_of(await client.call_tool("process", {})) == str(first.pid)
            servers.close()
            with serving("streamable-http", port=port, python=sys.executable) as second:
                assert text_of(await client.call_tool("process", {})) == str(second.pid)


class JunkServer(http.server.BaseHTTPRequestHandler):
    """Responds to every request with the content of its path."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = self.path.rpartition("/")[2].encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Do not log requests."""


@pytest.mark.parametrize("junk", ["null", "{}", "[1", "5"])
async def test_a_server_with_invalid_responses_leaves_no_call_waiting(junk):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), JunkServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with anyio.fail_after(30), pytest.raises(ExceptionGroup) as caught:
            async with Client(
                wrap_on_stdio("--url", f"http://127.0.0.1:{server.server_port}/{junk}"), mode="legacy"
            ) as client:
                await client.list_tools()
    finally:
        server.shutdown()
        server.server_close()
    error = caught.value.exceptions[0]
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert "not a response to the request" in str(error)


async def test_a_call_that_is_cancelled_is_cancelled_at_the_server(tmp_path):
    port, mark = free_port(), tmp_path / "mark"
    with serving("streamable-http", port=port, FEATURE_MARK=str(mark)):
        for mode in ("auto", "legacy"):
            with anyio.fail_after(60):
                async with Client(wrap_on_stdio("--url", f"http://127.0.0.1:{port}/mcp"), mode=mode) as client:
                    await client.list_tools()
                    with anyio.move_on_after(1):
                        await client.call_tool("waits", {})
                    await appears(mark)
                    mark.unlink()
                    assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"


async def test_tls_is_checked_against_the_given_certificates(tmp_path):
    certificate = make_certificate(tmp_path)
    port = free_port()
    code = (
        "import sys, uvicorn; sys.path.insert(0, sys.argv[1]); from feature_server import server;"
        "uvicorn.run(server.streamable_http_app(), port=int(sys.argv[2]), log_level='error',"
        "ssl_certfile=sys.argv[3], ssl_keyfile=sys.argv[3])"
    )
    process = subprocess.Popen(  # noqa: ASYNC220
        [PYTHON, "-W", "ignore", "-c", code, str(HERE), str(port), str(certificate)]
    )
    try:
        wait_until_listening(port, process)
        url = f"https://localhost:{port}/mcp"
        with anyio.fail_after(60):
            async with Client(wrap_on_stdio("--url", url, "--ca-file", str(certificate))) as client:
                assert text_of(await client.call_tool("length", {"value": "abc"})) == "3"
            with pytest.raises(ExceptionGroup):
                async with Client(wrap_on_stdio("--url", url)):
                    pass
    finally:
        process.kill()
        process.wait()


async def test_a_result_of_many_megabytes_passes(feature_url):
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--url", feature_url, "--never-keep", "text")) as client:
            assert len(text_of(await client.call_tool("text", {"size": 5_000_000}))) == 5_000_000


def make_certificate(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
