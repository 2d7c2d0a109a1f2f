"""A server that closes its stdin or stdout or writes UTF-16, and keeps running, is stopped; its calls are answered."""

import json
from pathlib import Path

import pytest

from tests.preloaded_python import PYTHON
from tests.wrap.running import WRAP

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
SERVER = str(Path(__file__).with_name("closing_server.py"))


@pytest.mark.parametrize(
    ("way", "pipe"),
    [
        *(("command", pipe) for pipe in ("stdin", "stdout", "line", "utf-16", "utf-16-le")),
        *(("gateway", pipe) for pipe in ("stdin", "stdout", "utf-16-le")),
    ],
)
def test_the_call_is_answered_with_the_reason(connect, tmp_path, way, pipe):
    servers = tmp_path / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"one": {"command": PYTHON, "args": [SERVER, pipe]}}}))
    behind = ["--servers", str(servers)] if way == "gateway" else ["--", PYTHON, SERVER, pipe]
    client = connect(wrapped=False, command=[*WRAP, *behind])
    client.ask("initialize", HELLO)
    tool = "one__closes" if way == "gateway" else "closes"
    answer = client.call(tool, request_id=2)
    if pipe == "stdin":  # only the next call detects it
        assert answer["result"] == {}
        answer = client.call(tool, request_id=3)
    what = (
        "writes UTF-16 in place of UTF-8" if pipe.startswith("utf") else f"closed its {pipe.replace('line', 'stdout')}"
    )
    assert f"{what} and was ended" in json.dumps(answer)
