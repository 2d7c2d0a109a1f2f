"""Hosts by name, with and without views, with both protocols: each gets the documented form of a result."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client import advertise
from mcp_types import Implementation

from coatcheck import Container, attach
from tests.ports import free_port, wait_until_listening
from tests.preloaded_python import PYTHON
from tests.wrap.running import wrap_on_stdio, wrapped_over_http
from tests.wrap.view_server import ROWS, sdk_server

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).with_name("view_server.py")
UI = "io.modelcontextprotocol/ui"

WHOLE_FROM = {
    ("claude-code", False): set(),
    ("codex-mcp-client", False): set(),
    ("Visual Studio Code", False): {"dashboard"},
    ("goose", False): {"dashboard"},
    ("something unknown", False): {"dashboard"},
    ("claude-code", True): {"dashboard", "rows"},
    ("codex-mcp-client", True): {"dashboard", "rows"},
    ("Visual Studio Code", True): {"dashboard", "rows"},
    ("goose", True): {"dashboard", "rows"},
    ("something unknown", True): {"dashboard", "rows"},
}
"""The tools whose `structuredContent` a client gets whole, by its name and whether it shows views."""

ONE_OF_EACH = [("claude-code", True), ("claude-code", False), ("goose", False)]
"""One client for each set of tools: that a server knows the profiles of all clients is tested once per implementation."""


@contextlib.contextmanager
def served(kind: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([PYTHON, "-W", "ignore", str(SERVER), kind, str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_until_listening(port, process)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served("sdk") as url:
        yield url


def client_to(server: Any, mode: str, name: str, *, apps: bool) -> Client:
    return Client(
        server,
        mode=mode,
        client_info=Implementation(name=name, version="1"),
        extensions=[advertise(UI, {"mimeTypes": ["text/html;profile=mcp-app"]})] if apps else None,
    )


async def check(server: Any, mode: str, name: str, *, apps: bool, prefix: str = "") -> None:
    async with client_to(server, mode, name, apps=apps) as client:
        await client.list_tools()
        for tool in ("dashboard", "rows"):
            result = await client.call_tool(prefix + tool, {})
            assert result.content[0].text.startswith("@obj_"), (name, apps, mode)
            whole = result.structured_content == ROWS
            assert whole or set(result.structured_content) == {"$stored"}
            assert whole is (tool in WHOLE_FROM[name, apps]), (name, apps, mode, tool)


MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@MODES
async def test_behind_wrap_over_http(mode, url):
    with anyio.fail_after(90), wrapped_over_http("--url", url) as (_, wrapped, _):
        for name, apps in WHOLE_FROM:
            await check(wrapped, mode, name, apps=apps)


@MODES
async def test_behind_a_gateway(mode, url, tmp_path):
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"one": {"type": "http", "url": url}}}))
    with anyio.fail_after(90), wrapped_over_http("--servers", str(tmp_path / "mcp.json")) as (_, wrapped, _):
        for name, apps in ONE_OF_EACH:
            await check(wrapped, mode, name, apps=apps, prefix="one__")


@MODES
async def test_behind_wrap_over_stdio(mode, url):
    with anyio.fail_after(90):
        for name, apps in ONE_OF_EACH:
            await check(wrap_on_stdio("--url", url), mode, name, apps=apps)


@MODES
async def test_at_an_attached_server(mode):
    server = sdk_server()
    attach(server, Container())
    for name, apps in WHOLE_FROM:
        await check(server, mode, name, apps=apps)


@MODES
async def test_at_a_fastmcp_server(mode):
    with anyio.fail_after(90), served("fastmcp") as url:
        for name, apps in ONE_OF_EACH:
            await check(url, mode, name, apps=apps)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_first_call_of_an_opened_view_gets_the_whole_content_too(mode, url):
    async with client_to(wrap_on_stdio("--url", url), mode, "a host", apps=True) as client:
        await client.list_tools()

        async def content() -> str:
            return "".join(block.text for block in (await client.call_tool("dashboard", {})).content)

        assert (await content()).startswith("@obj_")  # of the model
        for _ in range(3):
            await client.read_resource("ui://views/rows.html")
        assert json.loads(await content()) == ROWS  # of the view
        assert (await content()).startswith("@obj_")


@MODES
async def test_a_call_before_any_list_gets_the_form_of_its_tool(mode, url):
    with anyio.fail_after(60), wrapped_over_http("--url", url) as (_, wrapped, _):
        async with client_to(wrapped, mode, "claude-code", apps=True) as client:
            assert (await client.call_tool("rows", {})).structured_content == ROWS
