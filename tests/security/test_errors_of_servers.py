"""Errors of servers: a long one is kept and shortened like the result of a tool that failed."""

import contextlib
import json
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from coatcheck.containers import Container
from coatcheck.decorators import explorable_and_referenceable
from coatcheck.server import attach, configure_mcp_server
from coatcheck.settings import Settings
from coatcheck.tool_factory import MemoryType, ToolConfig
from coatcheck.toolsets import Toolset
from tests.preloaded_python import PYTHON
from tests.results import reference_in, text_of
from tests.security.refusing_server import ERRORS
from tests.security.serving import ACCESSES, wrapped_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=ACCESSES)
def target(request, tmp_path_factory):
    with wrapped_server(request.param, "refusing_server.py", tmp_path_factory.mktemp("servers")) as connect:
        yield connect


@contextlib.asynccontextmanager
async def failing(target, mode):
    """Connect a client; yields it, and a function that calls a tool of the server and returns its error."""
    with anyio.fail_after(60):
        async with Client(target(), mode=mode) as client:
            names = {tool.name.removeprefix("odd__"): tool.name for tool in (await client.list_tools()).tools}

            async def error_of(name: str):
                with pytest.raises(MCPError) as raised:
                    await client.call_tool(names[name], {})
                return raised.value.error

            yield client, error_of


async def assert_shortened(client, error_of, names=frozenset(ERRORS)) -> None:
    async def found_in(text: str) -> str:
        arguments = {"object_id": reference_in(text), "pattern": "word 1500"}
        return text_of(await client.call_tool("object_store_grep", arguments))

    small = await error_of("small")
    assert small.model_dump() == ERRORS["small"]
    message = await error_of("message")
    assert message.code == ERRORS["message"]["code"]
    assert message.data == ERRORS["message"]["data"]
    assert len(message.message) < 3_000
    assert message.message.strip().startswith("word 0")
    assert message.message.endswith("word 2999")
    assert "word 1500" in await found_in(message.message)
    for name in {"data", "text", "members"} & names:
        error = await error_of(name)
        assert (error.code, error.message) == (ERRORS[name]["code"], "It is closed.")
        assert len(error.model_dump_json()) < 5_000
        assert len(json.dumps(error.data)) < 5_000
        assert error.data["$stored"]["preview"].startswith(f"{error.data['$stored']['reference']}: ")
        assert "word 1500" in await found_in(error.data["$stored"]["reference"])
    pages = await error_of("pages")
    assert len(pages.message) < 3_000
    assert pages.data == ERRORS["pages"]["data"]


async def test_a_long_error_is_kept_and_shortened_and_its_code_and_small_data_stay(target, mode):
    async with failing(target, mode) as (client, error_of):
        await assert_shortened(client, error_of)


ATTACHED = """
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from coatcheck import Container, attach
from tests.security.refusing_server import ERRORS
server = MCPServer("odd", log_level="CRITICAL")

def failing(name):
    def tool() -> str:
        raise MCPError(**ERRORS[name])
    return tool

for name in ERRORS.keys() - {"members"}:  # the SDK sends no others than those of JSON-RPC
    server.add_tool(failing(name), name)
attach(server, Container())
server.run()
"""


async def test_an_attached_server_does_so_too(mode):
    def attached():
        return stdio_client(StdioServerParameters(command=PYTHON, args=["-c", ATTACHED], cwd=Path.cwd()))

    async with failing(attached, mode) as (client, error_of):
        await assert_shortened(client, error_of, ERRORS.keys() - {"members"})


@pytest.mark.parametrize("attached", [True, False], ids=["attached", "served"])
async def test_a_function_that_keeps_its_results_raises_them_shortened_too(attached):
    def closed() -> str:
        raise MCPError(**ERRORS["message"])

    server = MCPServer("keeping")
    if attached:
        container = Container(settings=Settings())
        server.tool()(explorable_and_referenceable(object_store=container.store)(closed))
        attach(server, container)
    else:
        toolset = Toolset("shop", lambda: {"closed": (closed, ToolConfig(memory_type=MemoryType.BOTH))})
        configure_mcp_server(server, toolsets=[toolset])
    async with Client(server) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("closed", {})
        assert raised.value.error.data == ERRORS["message"]["data"]
        assert len(raised.value.error.message) < 3_000
        assert reference_in(raised.value.error.message)
