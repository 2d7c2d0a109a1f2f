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
    "read by path": lambda explorer, _, name: explorer.aexplore(name, "[299999].name"),
    "sliced": lambda explorer, _, name: explorer.aslice(name, 100_000, 100_050),
    "searched": lambda explorer, _, name: explorer.asearch(name, r"user 29999\d"),
    "queried": lambda explorer, _, name: explorer.aquery(name, "length"),
    "replaced in": lambda explorer, _, name: explorer.areplace(name, "example", "EXAMPLE"),
    "paged through": lambda explorer, _, name: explorer.araw(name),
    "referenced by path": lambda explorer, _, name: explorer.aresolve(name, "[1000:2000]"),
    "an argument, by path": lambda _, interceptor, name: interceptor.prepare("t", {"rows": f"@{name}[0:500]"}),
    "referenced as a whole": lambda explorer, _, name: explorer.aresolve(name),
    "an argument, as a whole": lambda _, interceptor, name: interceptor.prepare("t", {"rows": f"@{name}"}),
    "an argument as JSON": lambda _, interceptor, name: interceptor.prepare("t", {"rows": f"@{name}"}, as_json=True),
    "an argument with many templates": lambda _, interceptor, __: interceptor.prepare(
        "t", {"rows": "".join(f"{{{{@obj_{number}}}}} " for number in range(50_000))}
    ),
    "the text of a tool's result": lambda _, interceptor, __: interceptor.result(
        "t", {"content": [{"type": "text", "text": rows_as_text()}]}
    ),
    "a tool's result, text and structure": lambda _, interceptor, __: interceptor.result(
        "t", {"content": [{"type": "text", "text": rows_as_text()}], "structuredContent": {"result": rows()}}
    ),
}
"""Work by name: called with an explorer, an interceptor and the id of the stored rows."""

PAUSE = 0.01
"""Seconds from the end of a small call to the next; without it, small calls take the processor from the work."""

LARGE_SERVERS = [sys.executable, str(Path(__file__).parents[1] / "tests" / "security" / "large_servers.py")]
SERVERS = {
    "wrapped": [sys.executable, "-m", "coatcheck", "wrap", "--", *LARGE_SERVERS, "plain"],
    "gateway": [sys.executable, "-m", "coatcheck", "wrap", "--servers", "{config}"],
    "attached": [*LARGE_SERVERS, "attached"],
}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@dataclass
class CallLatencies:
    """Latencies of small calls during some large work.

    Attributes:
        result: The result of the work.
        seconds: The duration of the work.
        latencies: Seconds that each small call took.
    """

    result: Any
    seconds: float
    latencies: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """The 99th percentile of the latencies."""
        return sorted(self.latencies)[min(int(len(self.latencies) * 0.99), len(self.latencies) - 1)]


async def latencies_during(
    work: Awaitable[Any], small: Callable[[], Awaitable[Any]], every: float | None = None
) -> CallLatencies:
    """Measure small calls while some work runs.

    Args:
        work: The work.
        small: Makes a small call.
        every: Seconds between the starts of two small calls, which may overlap; ``None``: each after the one before and
            a pause.
    """
    started = time.perf_counter()
    measured = CallLatencies(None, 0.0)

    async def call() -> None:
        began = time.perf_counter()
        await small()
        measured.latencies.append(time.perf_counter() - began)

    running = asyncio.ensure_future(work)
    calls = []
    while not running.done():
        if every is None:
            await call()
            await asyncio.wait([running], timeout=PAUSE)
        else:
            calls.append(asyncio.ensure_future(call()))
            await asyncio.sleep(every)
    measured.seconds = time.perf_counter() - started
    await asyncio.gather(*calls)
    measured.result = await running
    return measured


class PipeClient:
    """A client over the pipes of a process; its requests may overlap."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.count = 0
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.reading = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        """Read responses until the process ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") in self.waiting:
                self.waiting.pop(message["id"]).set_result(message)

    def request(self, method: str, params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a request; return a future of its response."""
        assert self.process.stdin is not None
        self.count += 1
        message = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.waiting[self.count] = asyncio.get_running_loop().create_future()
        return self.waiting[self.count]

    async def call(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return the text of its result, which must not be an error."""
        response = await self.request("tools/call", {"name": tool, "arguments": arguments})
        text = "\n".join(block["text"] for block in response["result"]["content"])
        assert not response["result"].get("isError"), text
        return text


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
        await client.request("initialize", HELLO)
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        await client.request("tools/list", {})
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
    """Run one of ``SERVERS``; write its configuration into a folder."""
    config = folder / "mcp.json"
    one = {"command": LARGE_SERVERS[0], "args": [*LARGE_SERVERS[1:], "plain"]}
    config.write_text(json.dumps({"mcpServers": {"one": one}}))
    command = [part.format(config=config) for part in SERVERS[server]]
    # A filter on all rows takes a second on an idle machine; its time limit is not measured here.
    async with client_of(command, COATCHECK_SANDBOX_TIMEOUT="60") as client:
        yield client


def steps(client: PipeClient, server: str, *, repeats: int = 5) -> Mapping[str, Callable[[], Awaitable[str]]]:
    """The steps through a server, in order: each step but the first uses objects of earlier steps.

    A result is stored several times: storing one is too short for more than a few small calls.
    """
    prefix = "one__" if server == "gateway" else ""
    result_path = "" if server == "attached" else "result"
    argument_path = "" if server == "attached" else ".result"
    kept: list[str] = []

    async def result_of(tool: str) -> str:
        for _ in range(repeats):
            while kept:
                await client.call("object_store_delete", object_id=kept.pop())
            shown = await client.call(prefix + tool)
            kept.append(re.findall(r"@obj_[\w-]+", shown)[0])
        return shown

    def read(tool: str, **arguments: Any) -> Callable[[], Awaitable[str]]:
        return lambda: client.call(tool, object_id=kept[-1], **arguments)

    def count(path: str) -> Callable[[], Awaitable[str]]:
        return lambda: client.call(f"{prefix}count", value=f"{kept[-1]}{path}")

    work = {
        "a result is kept": lambda: result_of("rows"),
        "previewed": read("object_store_get"),
        "read by path": read("object_store_get", path=f"{result_path}[299999].name"),
        "searched": read("object_store_grep", pattern=r"user 29999\d"),
        "queried": read("object_store_query", filter=f".{result_path}[0:1000] | length"),
        "referenced by path": count(f"{argument_path}[0:1000]"),
        "referenced as a whole": count(argument_path),
    }
    if server != "attached":
        work["a result of text is kept"] = lambda: result_of("text")
        work["a text is referenced as a whole"] = count("")
    return work
