"""An MCP server without any SDK with tools of all relevant shapes: ``python scripted_server.py [MODE]``.

It answers immediately and in order, writes the same bytes each time and echoes unknown requests.
"""

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

INTEGER = {"type": "integer"}
TOOLS = [
    {"name": "echo", "description": "Echo", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {
        "name": "rows",
        "inputSchema": {"type": "object", "properties": {"count": INTEGER}, "required": ["count"]},
        "outputSchema": {
            "type": "object",
            "properties": {"result": {"type": "array", "items": {"$ref": "#/$defs/Row"}}},
            "required": ["result"],
            "$defs": {"Row": {"type": "object", "properties": {"id": INTEGER}, "required": ["id"]}},
        },
    },
    {
        "name": "measure",
        "inputSchema": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "numbers": {"type": "array", "items": INTEGER},
                "level": {"enum": ["low", "high"]},
            },
        },
    },
    {"name": "text", "inputSchema": {"type": "object", "properties": {"size": INTEGER}}},
    {"name": "picture", "inputSchema": {"type": "object", "properties": {"size": INTEGER}}},
    {"name": "mixed", "inputSchema": {"type": "object"}},
    {"name": "fails", "inputSchema": {"type": "object"}},
    {"name": "dies", "inputSchema": {"type": "object"}},
    {"name": "waits", "inputSchema": {"type": "object"}},
    {"name": "asks", "inputSchema": {"type": "object"}},
    {"name": "floods", "inputSchema": {"type": "object"}},
    {"name": "object_store_list", "description": "Not coatcheck's", "inputSchema": {"type": "object"}},
]


def text(value: str) -> dict:
    return {"type": "text", "text": value}


def call(name: str, arguments: dict, message: dict):  # each tool has one or two lines
    if name == "echo":
        return {"content": [text(json.dumps(arguments))], "_meta": {"vendor/x": [1, None, 2.50]}, "extra": {"é": "ü"}}
    if name == "rows":
        rows = [{"id": number, "name": f"row {number}"} for number in range(arguments["count"])]
        return {
            "content": [text(json.dumps(row)) for row in rows],
            "structuredContent": {"result": rows},
            "_meta": {"a": 1},
        }
    if name == "measure":
        received = {key: [type(value).__name__, len(value)] for key, value in arguments.items()}
        return {"content": [text(json.dumps(received))]}
    if name == "text":
        return {"content": [text("line of text\n" * (arguments["size"] // 13))]}
    if name == "picture":
        data = base64.b64encode(bytes(arguments["size"])).decode()
        return {"content": [text("a picture"), {"type": "image", "data": data, "mimeType": "image/png"}]}
    if name == "mixed":
        links = [{"type": "resource_link", "uri": f"file:///{n}", "name": f"file {n}"} for n in range(300)]
        blob = {"uri": "file:///b", "mimeType": "application/pdf", "blob": base64.b64encode(bytes(9_000)).decode()}
        icon = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
        return {
            "content": [text("small"), icon, text("large " * 9_000), {"type": "resource", "resource": blob}, *links]
        }
    if name == "fails":
        return {"content": [text("BEGIN" + "x" * 50_000 + "END")], "isError": True}
    if name == "floods":
        return flood(Path(arguments["mark"]))
    if name == "object_store_list":
        return {"content": [text("the server's own")]}
    return None


def flood(mark: Path) -> dict:
    """Send many messages, and write to a file how many were read."""
    for number in range(1, 801):
        write({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 100_000}})
        if number % 10 == 0:
            mark.write_text(str(number))
    return {"content": [text("all of it")]}


def write(message: dict) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def handle(message: dict) -> None:
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message or method is None:
        write({"jsonrpc": "2.0", "method": "notifications/seen", "params": {"message": message}})
        return
    if method == "initialize":
        capabilities = {} if "no-tools" in sys.argv else {"tools": {"listChanged": True}}
        info = {"name": "special", "version": "1"}
        result = {"protocolVersion": params.get("protocolVersion"), "capabilities": capabilities, "serverInfo": info}
        result["instructions"] = "Be kind."
    elif method == "tools/list":
        first = "cursor" not in params
        result = {"tools": TOOLS[:4] if first else TOOLS[4:]} | ({"nextCursor": "more"} if first else {})
    elif method == "tools/call":
        name = params["name"]
        if name == "dies":
            sys.stderr.write("the disk is full\n")
            sys.stderr.flush()
            os._exit(7)
        if name == "waits":
            return
        if name == "asks":
            asked = {"messages": []} | ({"_meta": {"progressToken": 1}} if params.get("arguments") else {})
            write({"jsonrpc": "2.0", "id": message["id"], "method": "sampling/createMessage", "params": asked})
            return
        write({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}})
        result = call(name, params.get("arguments", {}), message)
        if result is None:
            write(
                {
                    "jsonrpc": "2.0",
                    "id": message["id"],
                    "error": {"code": -32602, "message": "no tool", "data": {"n": name}},
                }
            )
            return
    elif method == "tasks/result":
        result = call("text", {"size": 50_000}, message)
    else:
        result = {"method": method, "params": params}
    write({"jsonrpc": "2.0", "id": message["id"], "result": result})


def main() -> None:
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "broken":
        sys.stderr.write("no such database: orders.db\n")
        sys.exit(3)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "300"], start_new_session=False)
        write({"jsonrpc": "2.0", "method": "notifications/pids", "params": {"pids": [os.getpid(), child.pid]}})
    if mode == "noisy":
        sys.stdout.write("Starting up\n[INFO] ready\n{not json\n")
        sys.stdout.flush()
    for line in sys.stdin:
        message = json.loads(line)
        for part in message if isinstance(message, list) else [message]:
            handle(part)
    if mode == "stubborn":
        signal.pause()


main()
