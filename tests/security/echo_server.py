"""A server without an SDK whose one tool returns its argument."""

import json
import sys

ECHO = {
    "name": "echo",
    "inputSchema": {"type": "object", "properties": {"value": {}}, "required": ["value"]},
}


def answer(message: dict) -> dict:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        info = {"name": "echo", "version": "1"}
        capabilities = {"tools": {}, "resources": {}}
        return {"protocolVersion": params["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [ECHO]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": str(params["arguments"]["value"])}]}
    return {}


for line in sys.stdin.buffer:
    asked = json.loads(line)
    if "id" in asked and asked["method"] != "server/discover":
        reply = {"result": answer(asked)}
    elif "id" in asked:
        reply = {"error": {"code": -32601, "message": "unknown"}}
    else:
        continue
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **reply}) + "\n")
    sys.stdout.flush()
