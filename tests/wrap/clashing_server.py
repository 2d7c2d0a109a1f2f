"""A server without an SDK whose tools have the names of coatcheck's, on two pages, and which counts listings.

``python clashing_server.py [silent]``: with ``silent`` it never answers ``tools/list``.
"""

import json
import sys

NAMES = ("big", "small", "listed"), ("object_store_get", "object_store_slice", "object_store_query")
ROWS = json.dumps([{"a": number} for number in range(3000)])


def main() -> None:
    listed = 0
    for message in map(json.loads, sys.stdin):
        if "id" not in message:
            continue
        method, params = message["method"], message.get("params") or {}
        result: dict = {}
        if method == "initialize":
            info = {"name": "clashing", "version": "1"}
            result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            listed += 1
            if sys.argv[1:] == ["silent"]:
                continue
            is_first = "cursor" not in params
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES[not is_first]]
            result = {"tools": tools} | ({"nextCursor": "more"} if is_first else {})
        elif method == "tools/call":
            text = {"big": ROWS, "listed": str(listed)}.get(params["name"], "small")
            result = {"content": [{"type": "text", "text": text}]}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
