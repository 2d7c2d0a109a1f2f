"""A server whose only tool violates its own outputSchema, to verify that a client rejects it."""

import json
import sys

SCHEMA = {"type": "object", "properties": {"count": {"type": "number"}}, "required": ["count"]}
ANSWERS = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "lying", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "lie", "inputSchema": {"type": "object"}, "outputSchema": SCHEMA}]},
    "tools/call": {"content": [{"type": "text", "text": "many"}], "structuredContent": {"count": "many"}},
}

for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        known = ANSWERS.get(request["method"])
        answer = {"error": {"code": -32601, "message": "Method not found"}} if known is None else {"result": known}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}) + "\n")
        sys.stdout.flush()
