"""A fast MCP server without an SDK: ``python plain_server.py stdio|http PORT``.

Its tools return the length of a text, or a text of any size. Over stdio it supports all protocol revisions, over HTTP
2026-07-28.
"""

import json
import sys
from typing import Any

VERSION = "2026-07-28"
STRING, INTEGER = {"type": "string"}, {"type": "integer"}
TOOLS = [
    {"name": "length", "inputSchema": {"type": "object", "properties": {"value": STRING}}},
    {"name": "text", "inputSchema": {"type": "object", "properties": {"size": INTEGER}}},
]
INFO = {"name": "plain", "version": "1"}


def result_of(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": INFO}
    if method == "server/discover":
        return {"resultType": "complete", "supportedVersions": [VERSION], "capabilities": {"tools": {}}}
    if method == "tools/list":
        return {"resultType": "complete", "tools": TOOLS}
    if method == "resources/read":
        text = "x" * int(params["uri"].rpartition("/")[2])
        return {"resultType": "complete", "contents": [{"uri": params["uri"], "text": text}]}
    arguments = params["arguments"]
    text = str(len(arguments["value"])) if params["name"] == "length" else "line of text\n" * (arguments["size"] // 13)
    return {"resultType": "complete", "content": [{"type": "text", "text": text}]}


def respond(message: dict[str, Any]) -> bytes:
    """Return the response to a request."""
    result = result_of(message["method"], message.get("params") or {})
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


def serve_stdio() -> None:
    """Respond to each line of stdin."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message:
            sys.stdout.buffer.write(respond(message) + b"\n")
            sys.stdout.buffer.flush()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Respond to an HTTP request with JSON."""
    if scope["type"] != "http":
        return
    parts = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            break
    message = json.loads(b"".join(parts))
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200 if "id" in message else 202, "headers": headers})
    await send({"type": "http.response.body", "body": respond(message) if "id" in message else b""})


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        serve_stdio()
    else:
        import uvicorn

        uvicorn.run(application, port=int(sys.argv[2]), log_level="error", lifespan="off")
