"""The host applications start with one command, and work with real clients."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.ports import free_port, is_listening
from tests.results import reference_in, text_of
from tests.waiting import wait_until

HOSTS = Path(__file__).parents[2] / "examples" / "hosts"

pytestmark = pytest.mark.anyio


@contextmanager
def started(script: str, *arguments: str, **variables: str):
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COATCHECK_", "DEEPSET_"))}
    process = subprocess.Popen(
        # Not PYTHON of tests.preloaded_python, which ignores warnings.
        [sys.executable, str(HOSTS / script), "--port", str(port), *arguments],
        env=clean | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: is_listening(port) or process.poll() is not None, "the server listens")
        assert process.poll() is None, process.stderr.read()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        _, logged = process.communicate(timeout=30)
    assert "Warning" not in logged


async def test_fastapi_with_two_stores():
    with started("fastapi_two_stores.py") as url:
        async with Client(f"{url}/drafts/mcp") as drafts, Client(f"{url}/archive/mcp") as archive:
            assert "@obj_" in text_of(await drafts.call_tool("rows", {"count": 400}))  # over the limit of this store
            kept = await archive.call_tool("rows", {"count": 3000})
            reference = reference_in(text_of(kept))
            assert text_of(await archive.call_tool("total", {"rows": reference})) == str(sum(range(3000)))
            assert (await drafts.call_tool("total", {"rows": reference})).is_error
        async with httpx2.AsyncClient() as http:
            seen = await http.get(f"{url}/archive/objects/{reference[1:]}")
            assert seen.json()["value"][2999] == {"row": 2999}
            assert (await http.get(f"{url}/drafts/objects/{reference[1:]}")).status_code == 404


async def test_fastmcp_with_a_mounted_server():
    with started("fastmcp_server.py") as url:
        async with Client(f"{url}/mcp") as client:
            reference = reference_in(text_of(await client.call_tool("weather_measure", {"days": 5000})))
            assert text_of(await client.call_tool("mean", {"numbers": reference})).startswith("17.")
            assert (await client.call_tool("weather_measure", {"days": 2})).structured_content == {
                "result": [15.0, 18.5]
            }


async def test_tenants_over_redis_do_not_see_each_other(redis_server):
    tokens = [each for owner in ("alice", "bob") for each in ("--token", f"{owner}=token-of-{owner}")]

    @asynccontextmanager
    async def client(url: str, owner: str) -> AsyncIterator[Client]:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer token-of-{owner}"}) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as opened,
        ):
            yield opened

    with (
        started("multi_tenant.py", *tokens, COATCHECK_REDIS_URL=redis_server.url, COATCHECK_REDIS_TIMEOUT="15") as one,
        started(
            "multi_tenant.py", *tokens, COATCHECK_REDIS_URL=redis_server.url, COATCHECK_REDIS_TIMEOUT="15"
        ) as other,
    ):
        async with client(one, "alice") as alice, client(other, "bob") as bob, client(other, "alice") as again:
            reference = reference_in(text_of(await alice.call_tool("rows", {"count": 5000})))
            wanted = {"object_id": reference, "path": "[4999]"}
            assert text_of(await again.call_tool("object_store_get", wanted)) == "4999"
            assert (await bob.call_tool("object_store_get", wanted)).is_error
            assert "@obj_" not in text_of(await bob.call_tool("object_store_list", {}))
        async with httpx2.AsyncClient() as http:
            assert (await http.post(f"{one}/mcp", json={})).status_code == 401
