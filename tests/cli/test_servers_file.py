"""Files of servers in which there is nothing to wrap."""

import json

import pytest

from tests.command_line import run_here

OFF = {"command": "x", "disabled": True}


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ({}, "There is no server to wrap in servers.json.\n"),
        ({"one": OFF}, "There is no server to wrap in servers.json: one is disabled.\n"),
        ({"one": OFF, "two": OFF}, "There is no server to wrap in servers.json: one, two are disabled.\n"),
        ({"one": OFF, "two": 5}, 'the server "two" is left out: it is not an object.'),
    ],
)
def test_without_a_server_to_wrap_the_error_says_why(servers, says, tmp_path):
    (tmp_path / "servers.json").write_text(json.dumps({"mcpServers": servers}))
    done = run_here("wrap", "--servers", "servers.json", environment={"HOME": str(tmp_path)}, folder=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
