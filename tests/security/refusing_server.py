"""A server without any SDK, in both revisions, whose calls end in errors or in results that are nested deeply."""

import json
import sys

LONG = " ".join(f"word {number}" for number in range(3_000))
PAGES = [{"mode": "url", "elicitationId": "1", "url": f"https://example.com/{'x' * 9_000}", "message": LONG}]
ERRORS = {
    "small": {"code": -32050, "message": "It is closed.", "data": {"opens": 9}},
    "message": {"code": -32050, "message": LONG, "data": {"opens": 9}},
    "data": {"code": -32050, "message": "It is closed.", "data": {"rows": [LONG]}},
    "text": {"code": 7, "message": "It is closed.", "data": LONG},
    "pages": {"code": -32042, "message": LONG, "data": {"elicitations": PAGES}},
    "members": {"code": 7, "message": "It is closed.", "data": {"opens": 9}, "trace": [LONG], "more": LONG},
}


def nested(levels: int, *, objects: bool = False) -> str:
    opened, closed = ('{"a":', "}") if objects else ("[", "]")
    return f"{opened * (levels - 1)}{'{}' if objects else '[]'}{closed * (levels - 1)}"


def text(words: str) -> str:
    return json.dumps({"type": "text", "text": words})


DEEP = {
    "just_read": f'"content": [{text("read")}], "structuredContent": {nested(185, objects=True)}',
    "structured": f'"content": [{text("beside")}], "structuredContent": {nested(250, objects=True)}',
    "deeper": f'"content": [{text("beside")}], "structuredContent": {{"deep": {nested(900)}}}',
    "block": f'"content": [{text("beside")}, {{"type": "odd", "deep": {nested(300)}}}]',
    "meta": f'"content": [{text("beside")}], "_meta": {{"deep": {nested(300)}}}',
    "failed": f'"isError": true, "content": [{text("beside")}], "structuredContent": {{"deep": {nested(300)}}}',
    "long": f'"content": [{text(LONG)}], "structuredContent": {{"deep": {nested(300)}, "text": {json.dumps(LONG)}}}',
}
DEEP_ERROR = f'{{"code": 7, "message": "It is closed.", "data": {nested(300)}}}'
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in (*ERRORS, *DEEP, "deep_error", "sends", "asks")]
MODERN = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
INFO = {"name": "refusing", "version": "1"}
CAPABILITIES: dict = {"tools": {}, "resources": {}, "logging": {}}
META = "io.modelcontextprotocol/protocolVersion"


def call(name: str, modern: str) -> str:
    if name in ERRORS:
        return f'"error": {json.dumps(ERRORS[name])}'
    if name == "deep_error":
        return f'"error": {DEEP_ERROR}'
    return f'"result": {{{modern}{DEEP.get(name, chr(34) + "content" + chr(34) + f": [{text(name)}]")}}}'


def outcome(message: dict) -> str:
    method, params = message["method"], message.get("params") or {}
    is_modern = META in params.get("_meta", {})
    results = {
        "initialize": {
            "protocolVersion": params.get("protocolVersion"),
            "capabilities": CAPABILITIES,
            "serverInfo": INFO,
        },
        "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "serverInfo": INFO},
        "tools/list": {"tools": TOOLS},
        "resources/list": {"resources": []},
        "resources/templates/list": {"resourceTemplates": []},
        "logging/setLevel": {},
    }
    if method == "tools/call":
        return call(params["name"], '"resultType": "complete", ' if is_modern else "")
    if method == "resources/read":
        long = LONG * {"x://long": 4, "x://huge": 60}.get(params["uri"], 0)
        return f'"result": {{"contents": [], "more": [{json.dumps(long)}, {nested(300)}]}}'
    if method not in results:
        return '"error": {"code": -32601, "message": "Method not found"}'
    return f'"result": {json.dumps((MODERN if is_modern else {}) | results[method])}'


def write(line: str) -> None:
    sys.stdout.write(f'{{"jsonrpc": "2.0", {line}}}\n')
    sys.stdout.flush()


def serve() -> None:
    waiting = None
    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            write(f'"id": {waiting}, "result": {{"content": [{text(message["error"]["message"])}]}}')
        elif "id" in message:
            key = json.dumps(message["id"])
            tool = (message.get("params") or {}).get("name")
            if tool == "sends":
                write(f'"method": "notifications/message", "params": {{"level": "error", "data": {nested(300)}}}')
            if tool == "asks":
                waiting = key
                write(f'"id": "q", "method": "sampling/createMessage", "params": {{"messages": {nested(300)}}}')
            elif "huge" in line:
                write(f'{outcome(message)}, "id": {key}')
            else:
                write(f'"id": {key}, {outcome(message)}')


if __name__ == "__main__":
    serve()
