"""A value of a wrong type in place of a text does not prevent responses."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.preloaded_python import PYTHON
from tests.wrap.odd_values_server import PLACES
from tests.wrap.running import WRAP, wrapped_over_http

SERVER = [PYTHON, str(Path(__file__).with_name("odd_values_server.py"))]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["command", "gateway"])
def test_each_request_is_answered(connect, tmp_path, way, place):
    servers = tmp_path / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"one": {"command": PYTHON, "args": [SERVER[1], place]}}}))
    behind = ["--servers", str(servers)] if way == "gateway" else ["--", *SERVER, place]
    client = connect(wrapped=False, command=[*WRAP, *behind])
    tool = "one__f" if way == "gateway" else "f"
    requests = [("initialize", HELLO), ("tools/list", {}), ("tools/call", {"name": tool}), ("ping", {})]
    for number, (method, params) in enumerate(requests):
        client.send({"jsonrpc": "2.0", "id": f"n{number}", "method": method, "params": params})
        while f'"n{number}"'.encode() not in client.line():  # the numbers are too long for Python's parser
            pass
    client.close()
    assert "Traceback" not in client.stderr


@pytest.mark.parametrize("way", ["command", "gateway"])
def test_invalid_revisions_in_a_discovery_are_ignored(tmp_path, way):
    servers = tmp_path / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"one": {"command": PYTHON, "args": [SERVER[1], "versions"]}}}))
    behind = ["--servers", str(servers)] if way == "gateway" else ["--", *SERVER, "versions"]
    version = "2026-07-28"
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/list",
    }
    prefix = "io.modelcontextprotocol/"
    meta = {
        f"{prefix}protocolVersion": version,
        f"{prefix}clientInfo": HELLO["clientInfo"],
        f"{prefix}clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    with wrapped_over_http(*behind) as (_, url, text), httpx2.Client(timeout=60) as client:
        answer = client.post(url, json=message, headers=headers).json()
        assert answer["id"] == 1
        assert "Traceback" not in "".join(text)
