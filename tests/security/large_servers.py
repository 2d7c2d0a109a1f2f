"""Servers with tools that return and accept 300 000 rows, for tests from outside: ``large_servers.py plain|attached``.

``plain`` is a server without an SDK, to be wrapped. ``attached`` is an SDK server with coatcheck attached.
"""

import json
import sys
from typing import Any

ROWS = [{"id": n, "name": f"user {n}", "email": f"user{n}@example.com", "active": n % 2 == 0} for n in range(300_000)]
TAKES = {"type": "object", "properties": {"value": {"type": "array", "items": {"type": "object"}}}}
TOOLS = [
    {"name": "rows", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    {"name": "text", "inputSchema": {"type": "object"}},
    {"name": "count", "inputSchema": TAKES},
]


def plain() -> None:
    """Serve; the large results are prepared as bytes, so that this server takes hardly any time."""
    as_json = json.dumps(ROWS).encode()
    results = {
        "rows": b'{"content":[],"structuredContent":{"result":%b}}' % as_json,
        "text": b'{"content":[{"type":"text","text":%b}]}' % json.dumps(as_json.decode()).encode(),
    }
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = {}
        if message["method"] == "initialize":
            info = {"name": "plain", "version": "1"}
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        elif message["method"] == "tools/list":
            result = {"tools": TOOLS}
        elif message["method"] == "tools/call":
            name, arguments = message["params"]["name"], message["params"].get("arguments", {})
            if name in results:
                out.write(b'{"jsonrpc":"2.0","id":%d,"result":%b}\n' % (message["id"], results[name]))
                out.flush()
                continue
            result = {"content": [{"type": "text", "text": f"{len(arguments['value'])} items"}]}
        out.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n")
        out.flush()


def attached() -> None:
    """Serve with coatcheck attached; the tool that returns rows is decorated, so that the SDK does not convert its value."""
    from mcp.server import MCPServer

    from coatcheck.containers import Container
    from coatcheck.decorators import explorable
    from coatcheck.server import attach
    from coatcheck.settings import Settings

    container = Container(settings=Settings())
    server: MCPServer[Any] = MCPServer("attached", log_level="ERROR")

    @server.tool()
    @explorable(object_store=container.store, explorer=container.explorer)
    async def rows() -> list[dict[str, Any]]:
        """Return rows."""
        return ROWS

    @server.tool()
    async def count(value: Any) -> str:
        """Count."""
        return f"{len(value)} items"

    attach(server, container)
    server.run("stdio")


if __name__ == "__main__":
    {"plain": plain, "attached": attached}[sys.argv[1]]()
