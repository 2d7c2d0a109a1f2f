import os
import subprocess
import sys

import pytest

SERVER = """
import gc

import anyio
from mcp import Client
from mcp.server import MCPServer

from coatcheck.containers import Container
from coatcheck.server import attach, configure_mcp_server

ROWS = [{"id": n, "name": f"user {n}"} for n in range(50_000)]

def searches(generation):
    return gc.get_stats()[generation]["collections"]

gc.disable()
LOADED = [[[]] for _ in range(200_000)]  # as many as a host might import since the last search
gc.enable()

async def main():
    server, container = MCPServer("third-party"), Container()

    @server.tool()
    async def count(value: list) -> str:
        return f"{len(value)} items"

    (attach if kind == "attached" else configure_mcp_server)(server, container=container)
    object_id = await container.store().aput(ROWS)
    async with Client(server) as client:
        before, enough = searches(2), searches(1) + 15
        for _ in range(1000):
            if searches(1) >= enough:
                break
            if kind == "attached":
                result = await client.call_tool("count", {"value": f"@{object_id}"})
                assert result.content[0].text == "50000 items", result
            else:
                await client.call_tool("object_store_put", {"value": ROWS})
        print(searches(1) >= enough, searches(2) - before)

anyio.run(main)
"""


@pytest.mark.parametrize("kind", ["attached", "configured"])
def test_large_values_cause_no_garbage_collection_of_imported_modules(kind):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COATCHECK_")}
    done = subprocess.run(
        [sys.executable, "-c", f"kind = {kind!r}\n{SERVER}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("True 0\n", "")
