"""A server without an SDK that writes data that strict parsers refuse: lone surrogates, malformed responses, batches."""

import json
import sys

HALF = "cut \ud83d here"
SHORT = {"content": [{"type": "text", "text": HALF}]}
RESULTS = {
    "short": SHORT,
    "long": {"content": [{"type": "text", "text": f"{HALF}\n" * 2000}]},
    "beside": {"content": [{"type": "text", "text": "x" * 20_000}], "_meta": {HALF: HALF}},
    "structured": {"content": [], "structuredContent": {"rows": [HALF] * 2000}},
    "error": {"isError": True, "content": [{"type": "text", "text": f"{HALF}\n" * 9000}]},
}


def nested(levels: int) -> str:
    return f'"result": {{"content": [], "more": {"[" * levels}{"]" * levels}}}'


RAW = {
    "null": '"result": null',
    "list": '"result": [1]',
    "text as error": '"error": "bad"',
    "deep": nested(300),
    "very deep": nested(3000),
    "batch": f'"result": {json.dumps(SHORT)}',
}
TOOLS = [{"name": name, "description": HALF, "inputSchema": {"type": "object"}} for name in (*RESULTS, *RAW)]


def answer(message: dict) -> str:
    method, params = message["method"], message.get("params", {})
    result: dict = {}
    if method == "initialize":
        info, capabilities = {"name": "odd", "version": "1"}, {"tools": {}, "resources": {}}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    elif method == "tools/list":
        result = {"tools": TOOLS}
    elif method == "resources/list":
        result = {"resources": [{"uri": "x://y", "name": HALF}]}
    elif method == "server/discover":
        return '"error": {"code": -32601, "message": "unknown"}'
    elif method == "tools/call":
        if params["name"] in RAW:
            return RAW[params["name"]]
        result = RESULTS[params["name"]]
    return f'"result": {json.dumps(result)}'


def serve() -> None:
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        reply = f'{{"jsonrpc": "2.0", "id": {json.dumps(asked["id"])}, {answer(asked)}}}'
        is_batch = asked["method"] == "tools/call" and asked["params"]["name"] == "batch"
        sys.stdout.write(f"[{reply}]\n" if is_batch else f"{reply}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
