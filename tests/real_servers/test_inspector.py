"""The Inspector, a TypeScript client that validates structured results against the schema of the tool."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.preloaded_python import PYTHON
from tests.real_servers import packages
from tests.real_servers.sessions import coatcheck
from tests.real_servers.test_servers import OWN, everything, filesystem

pytestmark = pytest.mark.npm
PATIENCE = 60


def inspect(command: list[str], *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    inspector = [packages.node(), packages.npm_script("inspector", "clients/launcher/build/index.js"), "--cli"]
    variables = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
    return subprocess.run(
        [*inspector, *command, *variables, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def words_of(call: Any) -> list[str]:
    tool, arguments = call
    words = ["--method", "tools/call", "--tool-name", tool]
    for name, value in arguments.items():
        words += ["--tool-arg", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return words


def outcome(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("server", [filesystem, everything])  # with and without an output schema
def test_the_inspector_calls_the_tools_of_a_wrapped_server(server, request):
    case = server(request.getfixturevalue)
    command = coatcheck(*case.command)
    large = outcome(inspect(command, *words_of(case.large), env=case.env))  # it lists the tools first
    text = "\n".join(block["text"] for block in large["content"] if block["type"] == "text")
    assert "@obj_" in text
    assert len(text) <= case.limit


def test_the_inspector_lists_the_tools_of_a_wrapped_server(request):
    case = everything(request.getfixturevalue)
    listed = outcome(inspect(coatcheck(*case.command), "--method", "tools/list"))
    assert {case.large[0], OWN + "get"} <= {tool["name"] for tool in listed["tools"]}


def test_the_inspector_accepts_a_short_structured_result(request):
    case = filesystem(request.getfixturevalue)
    direct, wrapped = [
        outcome(inspect(command, *words_of(case.small))) for command in (case.command, coatcheck(*case.command))
    ]
    assert wrapped == direct
    assert "structuredContent" in wrapped


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_inspector_rejects_a_result_that_violates_its_schema(wrapped):
    command = [PYTHON, str(Path(__file__).with_name("invalid_output_server.py"))]
    done = inspect(coatcheck(*command) if wrapped else command, *words_of(("lie", {})))
    assert done.returncode != 0
    assert "count must be number" in done.stderr
