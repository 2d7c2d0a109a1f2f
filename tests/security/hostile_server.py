"""Values that exhaust resources, and a server without an SDK whose tool returns them."""

import json
import sys
from typing import Any


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines)


HOSTILE: dict[str, Any] = {
    "nested 100,000 levels": lambda: nested(100_000),
    "a million keys": lambda: {f"key {n}": n for n in range(1_000_000)},
    "a text of 100 MB": lambda: "x" * 100_000_000,
    "one key of 10 MB": lambda: {"k" * 10_000_000: 1},
    "an alias bomb": bomb,
}


def result_of(name: str) -> bytes:
    """Return a value as the text of a result; values that JSON cannot represent are texts already."""
    if name == "nested 100,000 levels":
        text = "[" * 100_000 + '"bottom"' + "]" * 100_000
    else:
        value = HOSTILE[name]()
        text = value if isinstance(value, str) else json.dumps(value)
    return b'{"content":[{"type":"text","text":%b}]}' % json.dumps(text).encode()


def serve() -> None:
    """Serve until stdin is closed; results are cached."""
    ready: dict[str, bytes] = {}
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = b"{}"
        if message["method"] == "initialize":
            info = {"name": "hostile", "version": "1"}
            greeting = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
            result = json.dumps(greeting).encode()
        elif message["method"] == "tools/list":
            result = b'{"tools":[{"name":"give","inputSchema":{"type":"object"}}]}'
        elif message["method"] == "tools/call":
            name = message["params"]["arguments"]["what"]
            result = ready[name] if name in ready else ready.setdefault(name, result_of(name))
        out.write(b'{"jsonrpc":"2.0","id":%d,"result":%b}\n' % (message["id"], result))
        out.flush()


if __name__ == "__main__":
    serve()
