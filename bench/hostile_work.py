"""Latency of small calls over HTTP while other callers send hostile schemas, filters and bodies."""

import asyncio
import contextlib
import json
import re
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from large_work import HELLO, latencies_during
from table import Figure

SECTION = "small calls over HTTP beside hostile ones"
ROUNDS, EVERY, TARGET = 3, 0.020, 0.050
WRAP = [sys.executable, "-m", "coatcheck", "wrap", "--transport", "streamable-http", "--port", "0", "--"]
IDLE_SECONDS = 3.0  # below the server's keep-alive of 5 s
ENDLESS = "last(range(1e12))"
CALLS, FILTERS, BODIES, BODY_BYTES, BODY_SECONDS = 20, 16, 20, 8 << 20, 3.0

_CHAIN = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(41)}
SCHEMAS: dict[str, dict[str, Any]] = {
    "pattern": {"properties": {"value": {"type": "string", "pattern": "^(a+)+$"}}},
    "references": {"properties": {"value": {"$ref": "#/$defs/a0"}}, "$defs": _CHAIN | {"a41": {"type": "string"}}},
    "properties": {"properties": {"value": {}}},  # and 100 000 more, added by the server: too long for an argument
    "unique": {"properties": {"value": {"type": "array", "uniqueItems": True}}},
}

SERVER = """
import json, sys
schemas = json.loads(sys.argv[1])
tools = [{"name": name, "inputSchema": {"type": "object", **schema}} for name, schema in schemas.items()]
tools[2]["inputSchema"]["properties"].update({f"p{n}": {"type": "integer"} for n in range(100_000)})
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        info = {"name": "hostile", "version": "1"}
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    elif message.get("method") == "tools/list":
        result = {"tools": tools}
    else:
        result = {"content": [{"type": "text", "text": "called"}]}
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


def hostile_work() -> list[Figure]:
    """Measure; each figure is the median over the rounds of the 99th percentile of the latencies in a round."""
    return asyncio.run(_measured())


async def _measured() -> list[Figure]:
    async with _served() as (url, small):
        latencies: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for what in WORK:
                measured = await latencies_during(await _attack(what, url), small, EVERY)
                latencies.setdefault(what, []).append(measured.p99)
    return [
        Figure(SECTION, f"latency of a small call, p99: {what}", "ms", statistics.median(times), target=TARGET)
        for what, times in latencies.items()
    ]


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[tuple[str, Callable[[], Awaitable[str]]]]:
    """Wrap the hostile server; yield its URL and a function that makes a small call in a separate session."""
    process = await asyncio.create_subprocess_exec(
        *WRAP, sys.executable, "-c", SERVER, json.dumps(SCHEMAS), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        listening = re.search(r"listening on (\S+)", (await process.stderr.readline()).decode())
        assert listening is not None
        session = await Session.open(listening[1])
        stored = re.findall(r"obj_[\w-]+", await session.call("object_store_put", value={"a": [1, 2, 3]}))[0]
        yield listening[1], lambda: session.call("object_store_get", object_id=stored, path="a[1]")
    finally:
        process.terminate()
        await process.wait()


async def _attack(what: str, url: str) -> Awaitable[None]:
    """Prepare the work in a separate process, so that the client's own work is not measured; return its start."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, what, url, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    await process.stdout.readline()

    async def start() -> None:
        await process.communicate(b"")  # the process starts when its stdin is closed

    return start()


async def _run_attack(what: str, url: str) -> None:
    work = await WORK[what](url)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await work


async def _schemas(url: str) -> Awaitable[None]:
    session = await Session.open(url)
    texts = {"short": "a" * 40 + "!", "long": "a" * 80_000, "rows": [{"id": n} for n in range(4_000)]}
    stored = {name: await session.call("object_store_put", value=value) for name, value in texts.items()}
    references = [re.findall(r"@obj_[\w-]+", text)[0] for text in stored.values()]
    await session.request("tools/list", {})

    async def call_all() -> None:
        for _ in range(CALLS):
            for tool in SCHEMAS:
                await asyncio.gather(*(session.call(tool, value=reference) for reference in references))
        await session.close()

    return call_all()


async def _filters(url: str) -> Awaitable[None]:
    session = await Session.open(url)
    stored = [await session.call("object_store_put", value=number) for number in range(FILTERS)]
    ids = [re.findall(r"obj_[\w-]+", text)[0] for text in stored]

    async def query_all() -> None:
        await asyncio.gather(*(session.call("object_store_query", object_id=each, filter=ENDLESS) for each in ids))
        await session.close()

    return query_all()


async def _bodies(url: str) -> Awaitable[None]:
    """Request bodies of which the last part is never sent."""
    parts = urlsplit(url)

    async def attack() -> None:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(_head(parts.netloc, 60 << 20))
        chunk = b" " * (64 << 10)
        for _ in range(BODY_BYTES // len(chunk)):
            writer.write(chunk)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        await asyncio.sleep(BODY_SECONDS)
        writer.close()

    async def attack_all() -> None:
        await asyncio.gather(*(attack() for _ in range(BODIES)))

    return attack_all()


WORK: dict[str, Callable[[str], Awaitable[Awaitable[None]]]] = {
    "hostile schemas": _schemas,
    f"{FILTERS} endless filters": _filters,
    f"{BODIES} bodies that never end": _bodies,
}


class Session:
    """A session over HTTP whose requests may overlap; each request has its own connection."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._session = ""
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._last_id = 0

    @classmethod
    async def open(cls, url: str) -> "Session":
        """Initialize a session."""
        session = cls(url)
        await session.request("initialize", HELLO)
        await session.request("notifications/initialized")
        return session

    async def call(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return the text of its result or its error."""
        response = await self.request("tools/call", {"name": tool, "arguments": arguments})
        return "\n".join(block["text"] for block in response["result"]["content"])

    async def request(self, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request, or a notification if there are no parameters; return the response."""
        self._last_id += 1
        message = {"jsonrpc": "2.0", "method": method}
        sent = json.dumps(message if params is None else message | {"id": self._last_id, "params": params}).encode()
        now = asyncio.get_running_loop().time()
        self._idle = [each for each in self._idle if each[0] > now - IDLE_SECONDS]
        _, reader, writer = self._idle.pop() if self._idle else (now, *await self._connect())
        writer.write(_head(self._parts.netloc, len(sent), self._session) + sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if found := re.search(r"mcp-session-id: (\S+)", head, re.IGNORECASE):
            self._session = found[1]
        body = await self._body(reader, head)
        self._idle.append((now, reader, writer))
        data = re.findall(rb"^data: (\{.*)$", body, re.MULTILINE)
        response: dict[str, Any] = json.loads(data[-1] if data else body or b"{}")
        return response

    async def close(self) -> None:
        """End the session."""
        reader, writer = await self._connect()
        writer.write(_head(self._parts.netloc, 0, self._session, "DELETE"))
        await reader.readuntil(b"\r\n\r\n")
        for each in [writer, *(writer for _, _, writer in self._idle)]:
            each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._parts.hostname, self._parts.port, limit=64 << 20)

    async def _body(self, reader: asyncio.StreamReader, head: str) -> bytes:
        if found := re.search(r"content-length: (\d+)", head, re.IGNORECASE):
            return await reader.readexactly(int(found[1]))
        body = b""
        while "chunked" in head.lower() and (size := int(await reader.readline(), 16)):
            body += (await reader.readexactly(size + 2))[:-2]
        if "chunked" in head.lower():
            await reader.readline()
        return body


def _head(host: str, length: int, session: str = "", method: str = "POST") -> bytes:
    lines = [f"{method} /mcp HTTP/1.1", f"host: {host}", f"content-length: {length}", "content-type: application/json"]
    lines += ["accept: application/json, text/event-stream", *([f"mcp-session-id: {session}"] if session else [])]
    return "\r\n".join([*lines, "", ""]).encode()


if __name__ == "__main__":
    asyncio.run(_run_attack(*sys.argv[1:]))
