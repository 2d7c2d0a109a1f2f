"""A server of the SSE transport without an SDK that misbehaves once or at each call."""

import contextlib
import json
import queue
import socketserver
import threading

FINE = b'{"jsonrpc": "2.0", "id": ID, "result": {"content": [{"type": "text", "text": "fine"}]}}'
EVENT = b"event: message\ndata: %b\n\n"
ENDPOINTS = {
    "another origin": b"http://127.0.0.1:1/m",
    "no address": b"http://[bad",
    "odd address": b"http://a\tb/",
    "no port": b"http://127.0.0.1:99999999/",
    "none": None,
}
"""Endpoints that are unusable."""

POSTED = {
    "refused": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    "cut off": b"",
    "moved": b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://a\tb/\r\ncontent-length: 0\r\n\r\n",
    "in the body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + FINE,
    "broken body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
}
"""Responses to the POST of a call, in place of 202 and an event."""

STREAMED = {
    "fine": EVENT % FINE,
    "several lines": b"".join(b"data: %b\n" % each for each in FINE.split()) + b"\n",
    "not utf-8": EVENT % FINE.replace(b"fine", b"fin\xe9"),
    "among others": EVENT % b"garbage"
    + EVENT % b"[1,"
    + EVENT % b"null"
    + EVENT % FINE.replace(b"ID", b'"x"')
    + EVENT % FINE,
    "malformed": EVENT % FINE.replace(b'"2.0"', b'"1.0"'),
    "broken": EVENT % FINE[:-2],
}
"""Responses to a call in the stream."""


class Handler(socketserver.StreamRequestHandler):
    server: "Server"

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.answer()

    def answer(self) -> None:
        method, length = self.rfile.readline().split(b" ")[0], 0
        while (header := self.rfile.readline().strip().lower()) != b"":
            if header.startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        if method == b"GET":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            endpoint = ENDPOINTS.get(self.server.endpoint, b"/messages")
            if endpoint is not None:
                self.wfile.write(b"event: endpoint\ndata: %b\n\n" % endpoint)
            while (written := self.server.events.get()) is not None:
                self.wfile.write(written)
            return
        message = json.loads(self.rfile.read(length))
        name = message["params"]["name"].replace("_", " ") if message.get("method") == "tools/call" else ""
        key = json.dumps(message.get("id")).encode()
        if name in POSTED:
            self.wfile.write(POSTED[name].replace(b"ID", key))
            return
        self.wfile.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        if "id" not in message or "method" not in message:
            return
        result: dict = {}
        if message["method"] == "initialize":
            info, version = {"name": "odd", "version": "1"}, message["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif message["method"] == "tools/list":
            names = (*POSTED, *STREAMED)
            result = {"tools": [{"name": each.replace(" ", "_"), "inputSchema": {"type": "object"}} for each in names]}
        written = EVENT % json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        self.server.events.put(STREAMED[name].replace(b"ID", key) if name else written)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = endpoint
        self.events: queue.Queue[bytes | None] = queue.Queue()


@contextlib.contextmanager
def odd_sse_server(endpoint: str = ""):
    """Serve, and yield the URL."""
    with Server(endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/sse"
        finally:
            server.events.put(None)
            server.shutdown()
            thread.join()
