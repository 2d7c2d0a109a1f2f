"""A server without an SDK whose lists have more than a megabyte."""

import json
import sys

MANY = 1_500
TOOLS = [
    {
        "name": f"tool_{number}",
        "description": f"{number} é {'x' * 400}",
        "inputSchema": {
            "type": "object",
            "properties": {f"p{each}": {"type": "array", "description": "x" * 40} for each in range(6)},
        },
        "outputSchema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    }
    for number in range(MANY)
]
RESOURCES = [{"uri": f"demo://{number}", "name": f"r{number}", "description": "x" * 200} for number in range(6_000)]


def main() -> None:
    for message in map(json.loads, sys.stdin):
        if "id" not in message:
            continue
        result: dict = {}
        if message["method"] == "initialize":
            capabilities, info = {"tools": {}, "resources": {}}, {"name": "long", "version": "1"}
            version = message["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info}
        elif message["method"] == "tools/list":
            result = {"tools": TOOLS}
        elif message["method"] == "resources/list":
            result = {"resources": RESOURCES}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
