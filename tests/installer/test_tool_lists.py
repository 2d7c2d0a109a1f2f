"""Lists of visible and approved tools in servers' entries: the object tools must be added to them."""

import json
import tomllib

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.installer import CLIENTS, ConfigFile, carry_out, plan_install, plan_uninstall
from coatcheck.installer.tool_lists import OBJECT_TOOLS, READING_TOOLS
from tests.git_history import GIT_SERVER
from tests.installer.conftest import LAUNCHER, contents
from tests.preloaded_python import PYTHON

VISIBLE = ["includeTools", "enabled_tools", "enabledTools", "allowedTools", "tools"]
APPROVED = ["alwaysAllow", "autoApprove", "auto_approve"]


def file_with(tmp_path, entry, *, indent=2):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"git": {"command": "x", **entry}}}, indent=indent))
    return ConfigFile(CLIENTS["cursor"], path)


def git(file):
    return json.loads(file.path.read_text())["mcpServers"]["git"]


@pytest.mark.parametrize("key", [*VISIBLE, *APPROVED])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_without_the_object_tools_causes_a_warning_and_gets_them_on_request(tmp_path, key, indent):
    file = file_with(tmp_path, {key: ["git_log", "git_status"]}, indent=indent)
    before = contents(tmp_path)
    plan = plan_install(file, LAUNCHER)
    assert key in plan.outcomes[0].hidden_tools
    carry_out(plan)
    assert git(file)[key] == ["git_log", "git_status"]
    carry_out(plan_uninstall(file))
    carry_out(plan_install(file, LAUNCHER, add_tools=True))
    ours = OBJECT_TOOLS if key in VISIBLE else READING_TOOLS
    assert git(file)[key] == ["git_log", "git_status", *ours]
    assert not plan_install(file, LAUNCHER).outcomes[0].hidden_tools
    carry_out(plan_uninstall(file))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "entry", [{}, {"includeTools": []}, {"alwaysAllow": ["*"]}, {"tools": {"a": 1}}, {"tools": "*"}]
)
def test_complete_lists_are_unchanged(tmp_path, entry):
    file = file_with(tmp_path, entry)
    plan = plan_install(file, LAUNCHER, add_tools=True)
    assert not plan.outcomes[0].hidden_tools
    carry_out(plan)
    assert {key: git(file)[key] for key in entry} == entry


def test_later_additions_of_the_user_to_a_list_survive(tmp_path):
    file = file_with(tmp_path, {"includeTools": ["git_log", "object_store_get"]})
    carry_out(plan_install(file, LAUNCHER, add_tools=True))
    text = file.path.read_text()
    file.path.write_text(text.replace('"object_store_slice"', '"git_diff", "object_store_slice"'))
    carry_out(plan_uninstall(file))
    assert git(file)["includeTools"] == ["git_log", "object_store_get", "git_diff"]


def test_without_the_backup_the_names_are_removed_too(tmp_path):
    file = file_with(tmp_path, {"args": ["y"], "alwaysAllow": ["git_log"]})
    before = file.path.read_bytes()
    carry_out(plan_install(file, LAUNCHER, add_tools=True))
    (tmp_path / "mcp.json.coatcheck-backup").unlink()
    carry_out(plan_uninstall(file))
    assert file.path.read_bytes() == before


def test_lists_of_codex_are_changed_and_restored(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[mcp_servers.git]\ncommand = "x"\nenabled_tools = [\n  "git_log", # one\n]\n')
    before = contents(tmp_path)
    file = ConfigFile(CLIENTS["codex"], path)
    carry_out(plan_install(file, LAUNCHER, add_tools=True))
    assert tomllib.loads(path.read_text())["mcp_servers"]["git"]["enabled_tools"] == ["git_log", *OBJECT_TOOLS]
    carry_out(plan_uninstall(file))
    assert contents(tmp_path) == before


@pytest.mark.anyio
async def test_the_names_are_those_of_the_tools_that_wrap_adds():
    command = [PYTHON, "-m", "coatcheck", "wrap", "--", *GIT_SERVER]
    parameters = StdioServerParameters(command=command[0], args=command[1:])
    async with Client(stdio_client(parameters)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools if tool.name.startswith("object_store")}
    assert set(tools) == set(OBJECT_TOOLS)
    assert not [name for name in READING_TOOLS if tools[name].annotations.destructive_hint]
