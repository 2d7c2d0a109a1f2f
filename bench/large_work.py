"""Work on 300 000 rows (26 MB) while small calls continue: in this process, and through real servers."""

import asyncio
import contextlib
import functools
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@functools.cache
def rows() -> list[dict[str, Any]]:
    """The rows, made once."""
    return [
        {"id": n, "name": f"user {n}", "email": f"user{n}@example.com", "active": n % 2 == 0} for n in range(300_000)
    ]


@functools.cache
def rows_as_text() -> str:
    """The rows as JSON, made once."""
    return json.dumps(rows())


TOOL = {"name": "t", "inputSchema": {"type": "object", "properties": {"rows": {"type": "array"}}}}

IN_PROCESS: dict[str, Callable[[Any, Any, str], Awaitable[Any]]] = {
    "stored": lambda explorer, _, __: explorer.store.aput(rows()),
    "stored and previewed": lambda explorer, _, __: explorer.akeep(rows()),
    "stored as text": lambda explorer, _, __: explorer.akeep(rows_as_text()),
    "previewed": lambda explorer, _, name: explorer.apreview(name),
    "looked into": lambda explorer, _, name: explorer.aexplore(name, "[299999].name"),
    "sliced": lambda explorer, _, name: explorer.aslice(name, 100_000, 100_050),
    "searched": lambda explorer, _, name: explorer.asearch(name, r"user 29999\d"),
    "queried": lambda explorer, _, name: explorer.aquery(name, "length"),
    "replaced in": lambda explorer, _, name: explorer.areplace(name, "example", "EXAMPLE"),
    "paged through": lambda explorer, _, name: explorer.araw(name),
    "referenced by path": lambda explorer, _, name: explorer.aresolve(name, "[1000:2000]"),
    "an argument, by path": lambda _, interceptor, name: interceptor.prepare("t", {"rows": f"@{name}[0:500]"}),
    "referenced as a whole": lambda explorer, _, name: explorer.aresolve(name),
    "an argument, as a whole": lambda _, interceptor, name: interceptor.prepare("t", {"rows": f"@{name}"}),
    "an argument that is passed on": lambda _, interceptor, name: interceptor.prepare(
        "t", {"rows": f"@{name}"}, as_json=True
    ),
    "the text of a tool's result": lambda _, interceptor, __: interceptor.result(
        "t", {"content": [{"type": "text", "text": rows_as_text()}]}
    ),
    "a tool's result, text and structure": lambda _, interceptor, __: interceptor.result(
        "t", {"content": [{"type": "text", "text": rows_as_text()}], "structuredContent": {"result": rows()}}
    ),
}
"""Work by what is done: called with an explorer, an interceptor and the id of the stored rows."""

LARGE_SERVERS = [sys.executable, str(Path(__file__).parents[1] / "tests" / "security" / "large_servers.py")]
SERVERS = {
    "wrapped": [sys.executable, "-m", "coatcheck", "wrap", "--", *LARGE_SERVERS, "plain"],
    "gateway": [sys.executable, "-m", "coatcheck", "wrap", "--servers", "{config}"],
    "attached": [*LARGE_SERVERS, "attached"],
}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@dataclass
class Meanwhile:
    """Small calls that were made while something large was worked with.

    Attributes:
        result: What the work gave.
        seconds: How long it took.
        waits: How long each small call took, in seconds.
    """

    result: Any
    seconds: float
    waits: list[float] = field(default_factory=list)

    @property
    def percentile(self) -> float:
        """Seconds within which 99 of 100 small calls were answered."""
        return sorted(self.waits)[min(int(len(self.waits) * 0.99), len(self.waits) - 1)]


async def meanwhile(small: Callable[[], Awaitable[Any]], work: Awaitable[Any], every: float | None = None) -> Meanwhile:
    """Make small calls while work is under way.

    Args:
        small: Makes a small call.
        work: The work.
        every: Seconds between two small calls, whether the one before was answered or not; ``None``: one after another.
    """
    started = time.perf_counter()
    found = Meanwhile(None, 0.0)

    async def call() -> None:
        began = time.perf_counter()
        await small()
        found.waits.append(time.perf_counter() - began)

    working = asyncio.ensure_future(work)
    calls = []
    while not working.done():
        if every is None:
            await call()
            await asyncio.sleep(0)  # a call may be answered within one turn of the loop
        else:
            calls.append(asyncio.ensure_future(call()))
            await asyncio.sleep(every)
    found.seconds = time.perf_counter() - started
    await asyncio.gather(*calls)
    found.result = await working
    return found


class PipeClient:
    """Sends lines and knows when each was answered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.count = 0
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.reading = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        """Read answers until the process ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") in self.waiting:
                self.waiting.pop(message["id"]).set_result(message)

    def ask(self, method: str, params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a request; give its answer, which is still to come."""
        assert self.process.stdin is not None
        self.count += 1
        message = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.waiting[self.count] = asyncio.get_running_loop().create_future()
        return self.waiting[self.count]

    async def call(self, tool: str, **arguments: Any) -> str:
        """Call a tool; give the text of its result, which must be no error."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        said = "\n".join(block["text"] for block in answer["result"]["content"])
        assert not answer["result"].get("isError"), said
        return said


@contextlib.asynccontextmanager
async def client_of(command: list[str], **environment: str) -> AsyncIterator[PipeClient]:
    """Run a server and open a session."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, limit=64 << 20, env={**os.environ, **environment}
    )
    assert process.stdin is not None
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


@contextlib.asynccontextmanager
async def server_with_rows(server: str, folder: Path) -> AsyncIterator[PipeClient]:
    """Run one of ``SERVERS``; its configuration goes into a folder."""
    config = folder / "mcp.json"
    one = {"command": LARGE_SERVERS[0], "args": [*LARGE_SERVERS[1:], "plain"]}
    config.write_text(json.dumps({"mcpServers": {"one": one}}))
    command = [part.format(config=config) for part in SERVERS[server]]
    # Filters on all rows take a second on an idle machine; how long one may take is not what is looked at here.
    async with client_of(command, COATCHECK_SANDBOX_TIMEOUT="60") as client:
        yield client


def steps(client: PipeClient, server: str, *, repeats: int = 5) -> Mapping[str, Callable[[], Awaitable[str]]]:
    """What is done through a server, in this order: each step but the first uses what was kept before.

    A result is kept several times: one is done so soon that few small calls fall due meanwhile.
    """
    of_server = "one__" if server == "gateway" else ""
    place = "" if server == "attached" else "result"
    whole = "" if server == "attached" else ".result"
    kept: list[str] = []

    async def result_of(tool: str) -> str:
        for _ in range(repeats):
            while kept:
                await client.call("object_store_delete", object_id=kept.pop())
            shown = await client.call(of_server + tool)
            kept.append(re.findall(r"@obj_[\w-]+", shown)[0])
        return shown

    def look(tool: str, **arguments: Any) -> Callable[[], Awaitable[str]]:
        return lambda: client.call(tool, object_id=kept[-1], **arguments)

    def count(path: str) -> Callable[[], Awaitable[str]]:
        return lambda: client.call(f"{of_server}count", value=f"{kept[-1]}{path}")

    found = {
        "a result is kept": lambda: result_of("rows"),
        "previewed": look("object_store_get"),
        "looked into": look("object_store_get", path=f"{place}[299999].name"),
        "searched": look("object_store_grep", pattern=r"user 29999\d"),
        "queried": look("object_store_query", filter=f".{place}[0:1000] | length"),
        "referenced by path": count(f"{whole}[0:1000]"),
        "referenced as a whole": count(whole),
    }
    if server != "attached":
        found["a result of text is kept"] = lambda: result_of("text")
        found["a text is referenced as a whole"] = count("")
    return found
