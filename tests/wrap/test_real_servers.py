"""A real client with both protocols, a real server, and a repository with a long history."""

from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.git_history import GIT_SERVER
from tests.preloaded_python import PYTHON
from tests.results import text_of

HERE = Path(__file__).parent


def connect_to(*command: str) -> object:
    return stdio_client(StdioServerParameters(command=PYTHON, args=[str(HERE / "run_proxy.py"), *command]))


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_log_of_2000_commits_arrives_as_a_preview_and_can_be_queried(repository, mode):
    with anyio.fail_after(60):
        async with Client(connect_to(*GIT_SERVER, "--repository", str(repository)), mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"git_log", "object_store_grep"} <= tools
            log = text_of(await client.call_tool("git_log", {"repo_path": str(repository), "max_count": 2_000}))
            assert len(log) <= 4_000
            assert "@obj_001" in log
            found = text_of(
                await client.call_tool("object_store_grep", {"object_id": "@obj_001", "pattern": "number 1234:"})
            )
            assert "Change number 1234" in found
            status = await client.call_tool("git_status", {"repo_path": str(repository)})
            assert "working tree clean" in text_of(status)
            refused = await client.call_tool("git_show", {"repo_path": str(repository), "revision": "no-such"})
            assert refused.is_error


@pytest.mark.anyio
async def test_a_reference_is_resolved_in_an_argument_of_the_real_server(repository):
    with anyio.fail_after(60):
        async with Client(connect_to(*GIT_SERVER, "--repository", str(repository)), mode="auto") as client:
            await client.call_tool("object_store_put", {"value": {"path": str(repository), "count": 2}})
            log = await client.call_tool("git_log", {"repo_path": "@obj_001.path", "max_count": "@obj_001.count"})
            assert text_of(log).count("Change number") == 2
