"""The same through real servers: small calls over the pipe over which another one's 300 000 rows are dealt with."""

import asyncio
import contextlib
import gc
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

HERE = Path(__file__).parent
LARGE = [sys.executable, str(HERE / "large_servers.py")]
SERVERS = {
    "wrapped": [sys.executable, "-m", "coatcheck", "wrap", "--", *LARGE, "plain"],
    "gateway": [sys.executable, "-m", "coatcheck", "wrap", "--servers", "{config}"],
    "attached": [*LARGE, "attached"],
}
MOST = 0.050
ROUNDS = 3
EVERY = 0.004
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


class PipeClient:
    """Sends lines and knows when each was answered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.count = 0
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.reading = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") in self.waiting:
                self.waiting.pop(message["id"]).set_result(message)

    def ask(self, method: str, params: Any) -> asyncio.Future[dict[str, Any]]:
        self.count += 1
        message = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.waiting[self.count] = asyncio.get_running_loop().create_future()
        return self.waiting[self.count]

    async def call(self, tool: str, **arguments: Any) -> str:
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        said = "\n".join(block["text"] for block in answer["result"]["content"])
        assert not answer["result"].get("isError"), said
        return said


@contextlib.asynccontextmanager
async def client_of(command: list[str]) -> AsyncIterator[PipeClient]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=64 << 20)
    client = PipeClient(process)
    try:
        await client.ask("initialize", HELLO)
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        await client.ask("tools/list", {})
        yield client
    finally:
        client.reading.cancel()
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def waits(client: PipeClient, small: str, work: Any) -> tuple[str, float]:
    """What the work gave, and the 99th percentile of how long small calls took that fell due meanwhile."""
    took: list[float] = []

    async def one() -> None:
        started = time.perf_counter()
        await client.call("object_store_get", object_id=small, path="a[1]")
        took.append(time.perf_counter() - started)

    working = asyncio.ensure_future(work)
    calls = []
    while not working.done():
        calls.append(asyncio.ensure_future(one()))
        await asyncio.sleep(EVERY)
    await asyncio.gather(*calls)
    return await working, sorted(took)[min(int(len(took) * 0.99), len(took) - 1)]


async def measured(client: PipeClient, small: str, work: Any) -> tuple[str, float]:
    """The same at its best of a few rounds: another process on the machine only ever makes it longer."""
    best = 1e9
    for _ in range(ROUNDS):
        gc.collect()
        gc.disable()  # the search through all that the tests before this one have left would count as waiting
        try:
            said, longest = await waits(client, small, work())
        finally:
            gc.enable()
        best = min(best, longest)
        if best < MOST:
            break
    return said, best


@pytest.mark.parametrize("server", SERVERS)
async def test_small_calls_are_answered_at_once_while_large_results_and_references_pass(server, tmp_path):
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"one": {"command": LARGE[0], "args": [*LARGE[1:], "plain"]}}}))
    of_server = "one__" if server == "gateway" else ""
    async with client_of([part.format(config=config) for part in SERVERS[server]]) as client:
        small = re.search(r"obj_\w+", await client.call("object_store_put", value={"a": [1, 2, 3]})).group()
        said, slow = {}, {}
        kept: list[str] = []

        async def result_of(tool: str) -> str:
            for _ in range(5):  # it is done so soon that few calls fall due meanwhile
                while kept:
                    await client.call("object_store_delete", object_id=kept.pop())
                shown = await client.call(of_server + tool)
                kept.append(re.search(r"@obj_[\w-]+", shown).group())
            return shown

        def look(tool: str, **arguments: Any) -> Any:
            return lambda: client.call(tool, object_id=kept[-1], **arguments)

        rows = "" if server == "attached" else "result"
        steps = {
            "a result is kept": lambda: result_of("rows"),
            "previewed": look("object_store_get"),
            "looked into": look("object_store_get", path=f"{rows}[299999].name"),
            "searched": look("object_store_grep", pattern=r"user 29999\d"),
            "queried": look("object_store_query", filter=f".{rows}[0:1000] | length"),
            "referenced by path": lambda: client.call(
                f"{of_server}count", value=f"{kept[-1]}{rows and '.result'}[0:1000]"
            ),
            "referenced as a whole": lambda: client.call(f"{of_server}count", value=f"{kept[-1]}{rows and '.result'}"),
        }
        if server != "attached":
            steps["a result of text is kept"] = lambda: result_of("text")
            steps["a text is referenced as a whole"] = lambda: client.call(f"{of_server}count", value=kept[-1])
        for step, work in steps.items():
            said[step], longest = await measured(client, small, work)
            if longest >= MOST:
                slow[step] = f"{longest * 1000:.0f} ms"
        assert "300,000 items" in said["previewed"]
        assert said["looked into"] == "user 299999"
        assert said["referenced by path"] == "1000 items"
        assert said["referenced as a whole"] == "300000 items"
        assert not slow
