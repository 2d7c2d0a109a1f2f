"""Whatever a server by URL writes: each call gets a response, and the next one works."""

import contextlib
import json

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.wrap.odd_http_server import ANSWERED, FAILING, odd_server
from tests.wrap.running import words, wrap_on_stdio, wrapped_over_http

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["stdio", "gateway", "http", "sessionless http"])
def target(request, tmp_path_factory):
    """What a client connects to, each time it does."""
    with odd_server() as url:
        servers = tmp_path_factory.mktemp("servers") / "mcp.json"
        servers.write_text(json.dumps({"mcpServers": {"odd": {"type": "http", "url": url}}}))
        behind = ["--servers", str(servers)] if request.param == "gateway" else ["--url", url]
        if "http" not in request.param:
            yield lambda: wrap_on_stdio(*behind)
            return
        more = ["--stateless"] if "sessionless" in request.param else []
        with wrapped_over_http(*more, *behind) as (_, address, said):
            yield lambda: address
            assert "Traceback" not in "".join(said)


@contextlib.asynccontextmanager
async def connected(target):
    async with Client(target(), mode="legacy") as client:
        names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}

        async def call(name: str) -> str:
            """Return the words of a result, or those of an error behind ``error:``."""
            try:
                with anyio.fail_after(30):
                    result = await client.call_tool(names[name.replace(" ", "_")], {})
            except MCPError as error:
                return f"error: {error}"
            return f"error: {words(result)}" if result.is_error else words(result)

        yield call


async def test_a_response_is_found_in_whatever_way_it_is_written(target):
    async with connected(target) as call:
        for name in ANSWERED:
            assert await call(name) in {"fine", "fin\ufffd"}, name


async def test_what_is_no_response_becomes_an_error_that_says_so(target):
    async with connected(target) as call:
        for name in FAILING:
            answered = await call(name)
            assert answered.startswith("error: The "), name
            assert len(answered) < 700, name
            assert await call("fine") == "fine", name
