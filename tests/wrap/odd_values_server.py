"""A server without an SDK that sends a number of too many digits in place of a text: ``odd_values_server.py PLACE``."""

import sys

LONG = "1" + "0" * 5_000
PLACES = ["serverInfo", "instructions", "error", "versions", "tool", "type"]


def result_of(method: str, place: str) -> str:
    if method == "initialize":
        name = LONG if place == "serverInfo" else '"odd"'
        instructions = LONG if place == "instructions" else '"Be kind."'
        if place == "error":
            return f'"error": {{"code": 1, "message": {LONG}}}'
        info = f'{{"name": {name}, "version": {name}}}'
        begin = '"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, '
        return f'{begin}"serverInfo": {info}, "instructions": {instructions}}}'
    if method == "server/discover":
        versions = LONG if place == "versions" else "[]"
        return f'"result": {{"supportedVersions": {versions}, "capabilities": {{"tools": {{}}}}}}'
    if method == "tools/list":
        described = LONG if place == "tool" else '"f"'
        return (
            f'"result": {{"tools": [{{"name": "f", "description": {described}, "inputSchema": {{"type": "object"}}}}]}}'
        )
    blocks = ", ".join([f'{{"type": {LONG}, "uri": {LONG}}}'] * 4)
    return f'"result": {{"content": [{blocks}]}}' if place == "type" else '"result": {"content": []}'


def main() -> None:
    import json

    for message in map(json.loads, sys.stdin):
        if "id" in message:
            answer = result_of(message["method"], sys.argv[1])
            sys.stdout.write(f'{{"jsonrpc": "2.0", "id": {json.dumps(message["id"])}, {answer}}}\n')
            sys.stdout.flush()


if __name__ == "__main__":
    main()
