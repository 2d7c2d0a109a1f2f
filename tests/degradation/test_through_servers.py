"""Effects on a client of ``attach``, ``wrap`` and ``serve`` while the store is unavailable."""

import os
import re
import subprocess
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.lifecycle import afind_store
from coatcheck.server import attach
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.waiting import until, within

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).parent / "small_server.py"
COATCHECK = [PYTHON, "-m", "coatcheck"]
RESPONSE_LIMIT = 20_000
FITS, TOO_LONG = 1000, 20_000  # lines: over the inline limit, and over the response limit too


def environment(port, **more):
    return {
        **os.environ,
        "COATCHECK_OBJECT_STORE_BACKEND": "redis",
        "COATCHECK_REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "COATCHECK_RESPONSE_LIMIT": str(RESPONSE_LIMIT),
        **more,
    }


@asynccontextmanager
async def attached(network):
    url = f"redis://127.0.0.1:{network.port}/0"
    settings = Settings(object_store_backend="redis", redis_url=url, response_limit=RESPONSE_LIMIT)
    container = Container(settings=settings)
    namespace: dict[str, object] = {"__name__": "small"}
    exec(SERVER.read_text(), namespace)
    attach(namespace["server"], container)
    async with Client(namespace["server"]) as client:
        yield client
    await container.exit_stack().aclose()


@asynccontextmanager
async def wrapped(network):
    command = StdioServerParameters(
        command=COATCHECK[0],
        args=[*COATCHECK[1:], "wrap", "--", PYTHON, str(SERVER)],
        env=environment(network.port),
    )
    async with Client(stdio_client(command)) as client:
        yield client


async def call(client, tool, **arguments):
    with within(1.0):
        result = await client.call_tool(tool, arguments)
    return result, "\n".join(block.text for block in result.content)


@pytest.mark.parametrize("way", [attached, wrapped])
async def test_results_reach_the_model_and_reads_fail_until_the_store_is_back(way, network):
    async with way(network) as client:
        _, text = await call(client, "lines", count=FITS)
        reference = re.search(r"@obj_[\w-]+", text)[0]
        for faults in (network.silence, network.refuse):
            faults()
            for _ in range(3):
                result, text = await call(client, "lines", count=FITS)
                assert not result.is_error
                assert "line 0\nline 1\n" in text
                assert text.endswith(f"line {FITS - 1}\n")  # it fits, so it passes unchanged
                result, text = await call(client, "lines", count=TOO_LONG)
                assert not result.is_error
                assert "line 0" in text
                assert "was not kept" in text
                assert len(text) <= 4000
                result, text = await call(client, "length", text=reference)
                assert result.is_error
                assert "unavailable" in text
                assert "try again" in text
                result, text = await call(client, "length", text="plain")
                assert text == "5"
            network.heal()

            async def length() -> str:
                result, text = await call(client, "length", text=reference)
                return "" if result.is_error else text

            with within(5.0):
                answer = await until(length, "the store is back", interval=0.1)
            assert int(answer) == len("".join(f"line {number}\n" for number in range(FITS)))


def test_without_waiting_an_unavailable_store_stops_the_start_immediately(own_redis):
    own_redis.stop()
    for command in (["serve"], ["wrap", "--", PYTHON, str(SERVER)]):
        done = subprocess.run(
            [*COATCHECK, *command],
            env=environment(own_redis.port),
            capture_output=True,
            text=True,
            input="",
            timeout=30,
        )
        assert done.returncode == 1
        assert f"127.0.0.1:{own_redis.port} refused the connection" in done.stderr


@pytest.mark.parametrize("command", [["serve"], ["wrap"]])
async def test_at_start_the_store_is_waited_for_if_configured(own_redis, command):
    own_redis.stop()
    later = threading.Timer(3.0, own_redis.start)
    later.start()
    behind = ["--", PYTHON, str(SERVER)] if command == ["wrap"] else []
    parameters = StdioServerParameters(
        command=COATCHECK[0],
        args=[*COATCHECK[1:], *command, "--wait-for-store", "30", *behind],
        env=environment(own_redis.port),
    )
    async with Client(stdio_client(parameters)) as client:
        tool, arguments = (
            ("object_store_put", {"value": "x" * 5000}) if command == ["serve"] else ("lines", {"count": FITS})
        )
        result = await client.call_tool(tool, arguments)
    assert "@obj_" in result.content[0].text
    assert "not kept" not in result.content[0].text
    later.join()


async def test_waiting_for_the_store_ends_with_the_error_of_the_store(own_redis):
    own_redis.stop()
    container = Container(settings=Settings(object_store_backend="redis", redis_url=own_redis.url, wait_for_store=0.7))
    start = time.monotonic()
    with pytest.raises(ObjectStoreUnavailable, match="refused|at the moment"):
        await afind_store(container)
    assert 0.6 < time.monotonic() - start < 3
    await container.exit_stack().aclose()
