"""An MCP server without an SDK, which adds hardly any time: ``python plain_server.py stdio|http PORT``.

It counts the characters of what it is given and gives texts of any size, in both eras over stdio, over HTTP in that of
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
    """Answer a request."""
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": INFO}
    if method == "server/discover":
        return {"resultType": "complete", "supportedVersions": [VERSION], "capabilities": {"tools": {}}}
    if method == "tools/list":
        return {"resultType": "complete", "tools": TOOLS}
    if method == "resources/read":
        text = "x" * int(params["uri"].rpartition("/")[2])
        return {"resultType": "complete", "contents": [{"uri": params["uri"], "text": text}]}
    given = params["arguments"]
    text = str(len(given["value"])) if params["name"] == "length" else "line of text\n" * (given["size"] // 13)
    return {"resultType": "complete", "content": [{"type": "text", "text": text}]}


def answer(message: dict[str, Any]) -> bytes:
    """Return the response to a request."""
    result = result_of(message["method"], message.get("params") or {})
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


def serve_stdio() -> None:
    """Answer lines until there are no more."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message:
            sys.stdout.buffer.write(answer(message) + b"\n")
            sys.stdout.buffer.flush()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer an HTTP request with JSON."""
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
    await send({"type": "http.response.body", "body": answer(message) if "id" in message else b""})


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        serve_stdio()
    else:
        import uvicorn

        uvicorn.run(application, port=int(sys.argv[2]), log_level="error", lifespan="off")
