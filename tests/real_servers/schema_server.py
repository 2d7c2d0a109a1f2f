"""A server with a tool for each kind of output schema; each returns a short or a long valid value."""

import json
import sys
from typing import Any

import jsonschema

from tests.arguments.test_output_schemas import ROOTS

TOOLS = {name: root for name, root in ROOTS.items() if root[0].get("type") == "object"}
"""Older clients accept only tools whose output schema is an object."""


def large_value(name: str) -> dict[str, Any] | None:
    """Return a large value that is valid for a tool's schema, if there is one."""
    schema, good, _ = TOOLS[name]
    check = jsonschema.Draft202012Validator(schema)
    added = ({"k": ["word"] * 5_000}, {f"k{number}": number for number in range(5_000)})
    return next((value for more in added if check.is_valid(value := {**good, **more})), None)


def main() -> None:
    """Respond until stdin is closed."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            answer = {
                "jsonrpc": "2.0",
                "id": message["id"],
                **answer_to(message["method"], message.get("params") or {}),
            }
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def answer_to(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result or the error of a request."""
    if method == "initialize":
        info = {"name": "schemas", "version": "1"}
        version = params["protocolVersion"]
        return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    if method == "tools/list":
        tools = [
            {"name": name, "inputSchema": {"type": "object"}, "outputSchema": schema}
            for name, (schema, _, _) in TOOLS.items()
        ]
        return {"result": {"tools": tools}}
    if method == "tools/call":
        name = params["name"]
        given = (large_value(name) if params["arguments"].get("long") else None) or TOOLS[name][1]
        return {"result": {"content": [{"type": "text", "text": json.dumps(given)}], "structuredContent": given}}
    return {"error": {"code": -32601, "message": f"There is no {method} here."}}


if __name__ == "__main__":
    main()
