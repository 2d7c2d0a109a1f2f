"""Responses that strict parsers reject reach the client in a valid form, and each request gets a response."""

import contextlib
import json
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from coatcheck.codec import well_formed_value
from coatcheck.proxy.jsonrpc import well_formed_line
from tests.preloaded_python import PYTHON
from tests.results import text_of
from tests.security.odd_server import RAW, RESULTS
from tests.wrap.running import wrapped

pytestmark = pytest.mark.anyio
SERVER = [PYTHON, str(Path(__file__).with_name("odd_server.py"))]
HALF = "\ud83d"


ACCESSES = ["stdio", "gateway", "http", "http gateway", "stateless http"]


@pytest.fixture(scope="module", params=ACCESSES)
def target(request, tmp_path_factory):
    """A function that connects a client."""
    yield from _target(request.param, tmp_path_factory)


@pytest.fixture(scope="module", params=["http", "http gateway", "stateless http"])
def url(request, tmp_path_factory):
    yield from _target(request.param, tmp_path_factory)


def _target(way, tmp_path_factory):
    servers = tmp_path_factory.mktemp("servers") / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"odd": {"command": SERVER[0], "args": SERVER[1:]}}}))
    behind = ["--servers", str(servers)] if "gateway" in way else ["--", *SERVER]
    with wrapped(way, *behind) as connect:
        yield connect


@contextlib.asynccontextmanager
async def connected(target):
    with anyio.fail_after(60):
        async with Client(target(), mode="legacy") as client:
            names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}
            yield client, names


async def test_responses_with_a_lone_surrogate_reach_the_client(target):
    async with connected(target) as (client, names):
        await client.list_resources()
        for name in RESULTS:
            result = await client.call_tool(names[name], {})
            json.dumps(result.model_dump(mode="json"), ensure_ascii=False).encode()
            if name == "short":
                assert text_of(result) == "cut \ufffd here"


async def test_a_malformed_response_over_http_is_an_error_or_kept(url):
    async with connected(url) as (client, names):
        for name in RAW:
            try:
                result = await client.call_tool(names[name], {})
            except MCPError as error:
                assert error.message
            else:
                kept = name == "deep" and "@obj_" in text_of(result)
                assert kept or result.is_error or text_of(result) == "cut \ufffd here"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r'["\ud83d"]', r'["\ufffd"]'),
        (r'["\uDE00\ud83d"]', r'["\ufffd\ufffd"]'),
        (r'["\ud83d\ude00\ud83d"]', r'["\ud83d\ude00\ufffd"]'),
        (r'["\\ud83d \\\ud83d"]', r'["\\ud83d \\\ufffd"]'),
        (r'["\ud83d\n\ude00"]', r'["\ufffd\n\ufffd"]'),
        (r'["\ud83d\ude00"]', r'["\ud83d\ude00"]'),
        (r'[NaN, "\\ud83d"]', r'[NaN, "\\ud83d"]'),
    ],
)
def test_only_lone_surrogates_are_replaced_in_a_line(line, expected):
    assert well_formed_line(line.encode()) == expected.encode()


def test_a_value_without_lone_surrogates_is_the_same_object():
    for value in ({"a": "\U0001f600"}, {"a": 10**30}, {"a": r"\ud83d", "b": float("nan"), "c": 2**70}):
        assert well_formed_value(value) is value
    assert well_formed_value({HALF: [HALF, 10**30, {"a": "b"}]}) == {r"\ud83d": ["\ufffd", 10**30, {"a": "b"}]}


ATTACHED = """
import sys
from coatcheck import Container, attach
HALF = chr(0xD83D)
if sys.argv[1] == "fastmcp":
    from fastmcp import FastMCP
    server, options, run = FastMCP("odd"), {"output_schema": None}, {"transport": "stdio", "show_banner": False}
else:
    from mcp.server import MCPServer
    server, options, run = MCPServer("odd", log_level="CRITICAL"), {"structured_output": False}, {"transport": "stdio"}

@server.tool(**options)
def short() -> str:
    return f"cut {HALF} here"

@server.tool(**options)
def long() -> str:
    return f"cut {HALF} here" * 2000

@server.tool(**options)
def failing() -> str:
    raise ValueError(f"cut {HALF} here")

@server.resource("x://y")
def resource() -> str:
    return f"cut {HALF} here"

@server.tool(description=f"cut {HALF} here", **options)
def described() -> str:
    return "done"

@server.prompt()
def prompt() -> str:
    return f"cut {HALF} here"

attach(server, Container())
server.run(**run)
"""


@pytest.mark.parametrize("library", ["mcp", "fastmcp"])
async def test_a_lone_surrogate_does_not_crash_an_attached_server(library):
    server = stdio_client(StdioServerParameters(command=PYTHON, args=["-c", ATTACHED, library]))
    with anyio.fail_after(60):
        async with Client(server, mode="legacy") as client:
            for tool in ("short", "long", "failing"):
                await client.call_tool(tool, {})
            assert (await client.read_resource("x://y")).contents[0].text == "cut \ufffd here"
            assert "cut \ufffd here" in [tool.description for tool in (await client.list_tools()).tools]
            assert (await client.get_prompt("prompt")).messages[0].content.text == "cut \ufffd here"
            assert text_of(await client.call_tool("short", {})) == "cut \ufffd here"
