"""Servers by URL that respond to a call with unusual bytes, which the tool's name selects; ``ID`` is the id of the call."""

import contextlib
import functools
import gzip
import json
import socketserver
import threading

TEXT = b'{"content": [{"type": "text", "text": "fine"}]}'
FINE = b'{"jsonrpc": "2.0", "id": ID, "result": %b}' % TEXT
OTHERS = FINE.replace(b"ID", b'"nobody"')
PRETTY = b'{\r\n "jsonrpc": "2.0",\r\n "id": ID,\r\n "result":\n %b\n}' % TEXT
MEGABYTES = b"x" * 3_000_000
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
JSON, EVENTS = "application/json", "text/event-stream"


def response(body: bytes, kind: str = JSON, status: str = "200 OK", **headers: str) -> bytes:
    """Return a response; its length is computed when the id is inserted, unless it is given."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if not headers.keys() & {"content_length", "transfer_encoding"}:
        lines.append("content-length: LENGTH")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def event(data: bytes, fields: bytes = b"") -> bytes:
    return b"%bdata: %b\n\n" % (fields, data)


def redirect(location: str, status: str = "307 Temporary Redirect") -> bytes:
    return response(b"", status=status, location=location)


ANSWERED: dict[str, bytes] = {
    "fine": response(FINE),
    "another status": response(FINE, status="201 Created"),
    "capitals": response(FINE, "Application/JSON; x=y"),
    "mark": response(b"\xef\xbb\xbf" + FINE),
    "not utf-8": response(FINE.replace(b"fine", b"fin\xe9")),
    "several lines": response(PRETTY),
    "interim responses": INTERIM + response(FINE),
    "event": response(event(FINE), EVENTS),
    "event without space": response(b"data:" + FINE + b"\n\n", EVENTS),
    "event with crlf": response(b"event: message\r\ndata: " + FINE + b"\r\n\r\n", EVENTS),
    "event of lines": response(b"".join(b"data: %b\n" % each for each in PRETTY.split()) + b"\n", EVENTS),
    "event not utf-8": response(event(FINE.replace(b"fine", b"fin\xe9")), EVENTS),
    "among others": response(event(OTHERS) + event(b"garbage") + event(b"[1,") + event(FINE) * 2, EVENTS),
    "odd retry": response(event(FINE, b"retry: abc\nid: \x00x\n"), EVENTS),
    "batch of events": response(event(b"[%b, %b]" % (OTHERS, FINE)), EVENTS),
    "huge notification": response(
        event(b'{"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "%b"}}' % MEGABYTES)
        + event(FINE),
        EVENTS,
    ),
    "chunks cut off behind": response(
        b"%x\r\n%b\r\n" % (len(event(FINE)), event(FINE)), EVENTS, transfer_encoding="chunked"
    ),
}
EXPANDING = "gzip of gzip that expands"
FAILING: dict[str, bytes] = {
    "page": response(b"<html></html>", "text/html"),
    "page as json": response(b"<html></html>"),
    "page as events": response(b"<html></html>", EVENTS),
    "accepted with a body": response(FINE, status="202 Accepted"),
    "empty": response(b""),
    "no content": response(b"", status="204 No Content"),
    "plain text": response(FINE, "text/plain"),
    "no type": response(FINE, ""),
    "utf-16": response('{"jsonrpc": "2.0"}'.encode("utf-16"), "application/json; charset=utf-16"),
    "event cut off": response(b"data: " + FINE[:20], EVENTS),
    "event without end": response(b"data: " + FINE + b"\n", EVENTS),
    "comments": response(b": a\n\n: b\n\n", EVENTS),
    "event of another name": response(b"event: result\n" + event(FINE), EVENTS),
    "odd event id": response("id: é\ndata:\n\n".encode() + b"data: " + FINE[:20], EVENTS),
    "chunk without size": response(b"zz\r\n" + FINE + b"\r\n0\r\n\r\n", transfer_encoding="chunked"),
    "chunk cut off": response(b"ffff\r\n" + FINE, transfer_encoding="chunked"),
    "chunks without end": response(b"5\r\n[1,2]\r\n", transfer_encoding="chunked"),
    "body cut off": response(FINE, content_length="1000"),
    "no length": response(FINE, content_length="abc"),
    "two lengths": response(FINE, content_length="5\r\ncontent-length: 6"),
    "no http": b"HELLO\r\n\r\n",
    "no status": FINE,
    "nothing": b"",
    "another protocol": response(b"", status="101 Switching Protocols", upgrade="websocket"),
    "not gzip": response(FINE, content_encoding="gzip"),
    "gzip cut off": response(gzip.compress(b'{"jsonrpc": "2.0"}')[:-12], content_encoding="gzip"),
    "events not gzip": response(event(FINE), EVENTS, content_encoding="gzip"),
    EXPANDING: b"",
    "error not gzip": response(b"zz", status="503 Unavailable", content_encoding="gzip"),
    "redirect to itself": redirect("/mcp"),
    "redirect elsewhere": redirect("http://127.0.0.1:1/mcp"),
    "redirect to a file": redirect("file:///etc/passwd"),
    "redirect to no host": redirect("http://[bad"),
    "redirect to no address": redirect("http://a\tb/"),
    "redirect to no port": redirect("http://127.0.0.1:99999999/"),
    "redirect to a page": redirect("/login", "302 Found"),
    "redirect without a place": response(b"", status="307 Temporary Redirect"),
    "not modified": response(b"", status="304 Not Modified"),
    "odd challenge": response(
        b"", status="401 Unauthorized", www_authenticate='Bearer resource_metadata="http://[b", x="'
    ),
    "odd error": response(b'{"error": {"code": "x"}}', status="500 Internal Server Error"),
    "list as error": response(b"[1]", status="500 Internal Server Error"),
    "unknown status": response(b"", status="599 What"),
    "huge header": response(FINE, x_long="y" * 200_000),
}
CASES = ANSWERED | FAILING


@functools.cache
def expanding() -> bytes:
    """Return a response of 257 MiB, when it is needed, because compressing it takes a second."""
    return response(gzip.compress(gzip.compress(b'"%b"' % (b"a" * (257 << 20)), 1)), content_encoding="gzip, gzip")


def answer(message: dict) -> bytes:
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message or method is None:
        return response(b"", status="202 Accepted")
    if method == "tools/call":
        name = params["name"].replace("_", " ")
        return expanding() if name == EXPANDING else CASES[name]
    result: dict = {}
    if method == "initialize":
        info, capabilities = {"name": "odd", "version": "1"}, {"tools": {}}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    elif method == "tools/list":
        result = {"tools": [{"name": name.replace(" ", "_"), "inputSchema": {"type": "object"}} for name in CASES]}
    return response(FINE.replace(TEXT, json.dumps(result).encode()))


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        method, length = self.rfile.readline().split(b" ")[0], 0
        while (header := self.rfile.readline().strip().lower()) != b"":
            if header.startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        if method != b"POST":
            self.wfile.write(response(b"", status="405 Method Not Allowed").replace(b"LENGTH", b"0"))
            return
        message = json.loads(self.rfile.read(length))
        written = answer(message)
        interim = INTERIM if written.startswith(INTERIM) else b""
        head, blank, body = written.removeprefix(INTERIM).partition(b"\r\n\r\n")
        body = body.replace(b"ID", json.dumps(message.get("id")).encode())
        with contextlib.suppress(OSError):
            self.wfile.write(interim + head.replace(b"LENGTH", b"%d" % len(body)) + blank + body)


@contextlib.contextmanager
def odd_server():
    """Serve, and yield the URL."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
        finally:
            server.shutdown()
            thread.join()
