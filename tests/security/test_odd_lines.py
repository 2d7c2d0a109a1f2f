"""Each call gets a response, whatever its server writes, and the next call works."""

import contextlib
import json
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.preloaded_python import PYTHON
from tests.security.odd_lines import ANSWERED, BY_NUMBER, MALFORMED, REFUSALS
from tests.wrap.running import words, wrap_on_stdio, wrapped_over_http

pytestmark = pytest.mark.anyio
SERVER = [PYTHON, str(Path(__file__).with_name("odd_lines.py"))]


@pytest.fixture(scope="module", params=["stdio", "gateway", "http", "http gateway", "sessionless http"])
def target(request, tmp_path_factory):
    """What a client connects to, each time it does."""
    servers = tmp_path_factory.mktemp("servers") / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"odd": {"command": SERVER[0], "args": SERVER[1:]}}}))
    behind = ["--servers", str(servers)] if "gateway" in request.param else ["--", *SERVER]
    if "http" not in request.param:
        yield lambda: wrap_on_stdio(*behind)
        return
    more = ["--stateless"] if "sessionless" in request.param else []
    with wrapped_over_http(*more, *behind) as (_, url, said):
        yield lambda: url
        assert "Traceback" not in "".join(said)


@contextlib.asynccontextmanager
async def connected(target):
    async with Client(target(), mode="legacy") as client:
        names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}

        async def call(name: str) -> str:
            """Return the words of a result, or those of an error behind ``error:``."""
            try:
                with anyio.fail_after(20):
                    result = await client.call_tool(names[name.replace(" ", "_")], {})
            except MCPError as error:
                return f"error: {error}"
            return f"error: {words(result)}" if result.is_error else words(result)

        yield call


async def test_a_result_is_found_among_what_else_the_server_writes(target):
    async with connected(target) as call:
        for name in ANSWERED | BY_NUMBER:
            answered = await call(name)
            assert answered in {"fine", "caf\ufffd"} or answered.startswith("@obj_"), name
            assert await call("fine") == "fine", name


async def test_an_error_of_the_servers_stays_its_own(target):
    async with connected(target) as call:
        assert {await call(name) for name in REFUSALS} == {"error: refused"}


async def test_a_malformed_response_becomes_an_error_that_says_so(target):
    async with connected(target) as call:
        for name in MALFORMED:
            answered = await call(name)
            assert answered.startswith("error: The "), name
            assert any(word in answered for word in ("malformed", "no JSON", "no result")), name
            assert len(answered) < 500, name
            assert await call("fine") == "fine", name
