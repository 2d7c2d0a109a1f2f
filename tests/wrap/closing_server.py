"""A server without an SDK that closes a pipe at its first call, ignores SIGTERM and keeps running: ``closing_server.py PIPE``.

The pipe is ``stdin``, ``stdout`` or ``line``: the last is stdout in the middle of a line. With ``utf-16`` or ``utf-16-le``
it writes in that encoding from then on.
"""

import json
import os
import signal
import sys


def main() -> None:
    for message in map(json.loads, sys.stdin.buffer):
        if "id" not in message:
            continue
        result: dict = {}
        if message["method"] == "initialize":
            info, version = {"name": "closing", "version": "1"}, message["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif message["method"] == "tools/list":
            result = {"tools": [{"name": "closes", "inputSchema": {"type": "object"}}]}
        elif message["method"] == "tools/call":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if sys.argv[1] == "line":
                os.write(1, b'{"jsonrpc":"2.0","id":')
            if sys.argv[1].startswith("utf"):
                os.write(
                    1, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}).encode(sys.argv[1]) + b"\n"
                )
            else:
                os.close(0 if sys.argv[1] == "stdin" else 1)
        if sys.argv[1] == "stdin" or message["method"] != "tools/call":
            os.write(1, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n")
        if message["method"] == "tools/call":
            signal.pause()


if __name__ == "__main__":
    main()
