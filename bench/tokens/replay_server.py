"""A server over stdio that returns the recorded results, each from a tool of its name."""

import json
import sys
from typing import Any

from corpus import names, result


def main() -> None:
    """Respond until stdin is closed."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"]} | _result(message)), flush=True)


def _result(message: dict[str, Any]) -> dict[str, Any]:
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        info = {"name": "replay", "version": "1"}
        return {
            "result": {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": info,
            }
        }
    if method == "tools/list":
        schema = {"type": "object", "properties": {"path": {"type": "string"}, "options": {"type": "object"}}}
        tools = [{"name": name, "description": f"Read {name}.", "inputSchema": schema} for name in names()]
        return {"result": {"tools": tools}}
    if method == "tools/call":
        return {"result": result(params["name"])}
    return {"error": {"code": -32601, "message": f"There is no {method} here."}}


if __name__ == "__main__":
    main()
