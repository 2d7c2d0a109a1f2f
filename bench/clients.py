"""Minimal clients: they write a request and read until its response arrives."""

import http.client
import json
import socket
import subprocess
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

PROTOCOL, MODERN = "2025-06-18", "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class StdioClient:
    """A client of a server that runs as a process, for the protocol revisions with an initialize handshake."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self) -> None:
        """Initialize the session and list the tools."""
        client = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.request("initialize", client)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.request("tools/list", {})

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._last_id += 1
        self._write({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._last_id and "method" not in message:
                result: dict[str, Any] = message["result"]
                return result
        raise RuntimeError(f"The server ended before it answered {method}.")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


class ModernStdioClient(StdioClient):
    """The same for the protocol revision 2026-07-28."""

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        return super().request(method, {**params, "_meta": META})


class HttpClient:
    """A client of a server by URL, for the protocol revision 2026-07-28, over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._last_id = 0

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": {**params, "_meta": META}}
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
        } | ({"mcp-name": params["name"]} if "name" in params else {})
        body = json.dumps(message).encode()
        try:
            response = self._exchange(body, headers)
        except (ConnectionError, http.client.HTTPException):
            self.reconnect()
            response = self._exchange(body, headers)
        result: dict[str, Any] = json.loads(response)["result"]
        return result

    def _exchange(self, body: bytes, headers: dict[str, str]) -> bytes:
        if self._connection.sock is None:
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.request("POST", self._path, body, headers)
        return self._connection.getresponse().read()

    def reconnect(self) -> None:
        """Open a new connection with the next request: servers close connections that are idle for some seconds."""
        self._connection.close()
