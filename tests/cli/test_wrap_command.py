import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from typer.main import get_group

from coatcheck.cli import FLAGS_OF_WRAP
from coatcheck.cli.wrap import app
from tests.git_history import GIT_SERVER, make_history
from tests.preloaded_python import PYTHON

COATCHECK = [PYTHON, "-m", "coatcheck"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_history(tmp_path_factory.mktemp("history"), 60)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_real_server_passes_through_and_its_large_result_becomes_a_reference(repository, mode):
    command = ["wrap", "--", *GIT_SERVER, "--repository", str(repository)]
    parameters = StdioServerParameters(command=COATCHECK[0], args=[*COATCHECK[1:], *command])
    async with Client(stdio_client(parameters), mode=mode) as client:
        arguments = {"repo_path": str(repository), "max_count": 60}
        shown = (await client.call_tool("git_log", arguments)).content[0].text
        assert len(shown) <= 4000
        reference = re.search(r"@obj_\w+", shown).group()
        found = await client.call_tool("object_store_grep", {"object_id": reference, "pattern": "number 42:"})
        assert "Change number 42:" in found.content[0].text
        first = await client.call_tool(
            "object_store_query",
            {"object_id": reference, "filter": 'split("Commit: ")[19][0:40]', "keep": True},
        )
        new = re.search(r"Stored as (@obj_\w+)", first.content[0].text).group(1)
        handed_on = await client.call_tool("git_show", {"repo_path": str(repository), "revision": new})
        assert "Change number 42:" in handed_on.content[0].text


def test_stdout_contains_only_json_rpc_and_everything_exits_when_the_input_ends(repository):
    greeting = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    command = [*COATCHECK, "wrap", "--verbose", "--", *GIT_SERVER, "--repository", str(repository)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(timeout=60) == 0
    assert [answer["id"] for answer in answers] == [1, 2]
    assert "reference such as @obj_001" in answers[0]["result"]["instructions"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["no-such-command"], 'The server "no-such-command" could not be started'),
        ([PYTHON, "-c", "import sys; sys.exit('my own words')"], "my own words"),
        ([str(Path(__file__))], "could not be started: Permission denied"),
    ],
)
def test_a_server_that_does_not_start_is_reported_in_one_clear_line(command, expected):
    process = subprocess.Popen(
        [*COATCHECK, "wrap", "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    process.wait(timeout=60)  # the client is still connected
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == ""
    assert expected in err
    assert len([line for line in err.splitlines() if line.startswith("coatcheck: ")]) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "options", [[], ["-v"], ["--limits-in-tokens"], ["--inline-limit", "100", "--preview-limit=400"]]
)
def test_a_command_may_begin_before_two_dashes_that_are_one_of_its_arguments(options):
    command = [*COATCHECK, "wrap", *options, "/no/such/server", "--", "cat"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert 'The server "/no/such/server" could not be started' in done.stderr


def test_the_options_without_a_value_are_known_before_they_are_imported():
    parameters = [each for each in get_group(app).commands["wrap"].params if getattr(each, "is_flag", False)]
    assert {flag for each in parameters for flag in (*each.opts, *each.secondary_opts)} == FLAGS_OF_WRAP
