"""`install --gateway`: one entry replaces several, and `uninstall` restores the file byte for byte."""

import json
import re
import stat

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.errors import SettingsError
from coatcheck.installer import CLIENTS, ConfigFile, ConfigFileError, carry_out, plan_gateway, plan_uninstall
from coatcheck.installer.gateway_entry import gateway_file
from tests.installer.conftest import FILES, LAUNCHER, contents
from tests.installer.test_commands import git_entry, run
from tests.preloaded_python import COATCHECK
from tests.waiting import until

JSON_CLIENTS = sorted(set(FILES) - {"codex"})
STAYS = {
    "claude-code": ["memory (in /home/zoe/shop)"],
    "cursor": ["search"],
    "vscode": ["perplexity", "odd", "socket"],
    "windsurf": ["figma"],
    "gemini-cli": ["git", "adc"],
}


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def servers_of(file):
    text = file.path.read_text("utf-8-sig")
    return json.loads(text)[file.client.servers[0][0]]


def actions(plan):
    return {outcome.label: outcome.action for outcome in plan.outcomes}


@pytest.mark.parametrize("client_name", JSON_CLIENTS)
def test_the_servers_are_replaced_by_one_entry_and_restored_byte_for_byte(client_name, sample):
    file = sample(client_name)
    before = contents(file.path.parent)
    plan = plan_gateway(file, LAUNCHER)
    carry_out(plan)
    left = [label for label, action in actions(plan).items() if action == "left alone"]
    assert left == STAYS.get(client_name, [])
    path = gateway_file(file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    moved = json.loads(path.read_text())["mcpServers"]
    assert moved.keys() == actions(plan).keys() - set(left)
    assert carry_out(plan_gateway(file, LAUNCHER)) == []  # a second time changes nothing
    carry_out(plan_uninstall(file))
    assert contents(file.path.parent) == before
    assert not path.exists()


def file_with(tmp_path, servers, indent=2):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"other": [1], "mcpServers": servers, "last": {}}, indent=indent))
    return ConfigFile(CLIENTS["cursor"], path)


def test_servers_with_lone_surrogates_move_and_return(tmp_path):
    servers = {"a\ud800": {"command": "x\ud800"}}
    file = file_with(tmp_path, servers, None)
    carry_out(plan_gateway(file, LAUNCHER))
    assert json.loads(gateway_file(file).read_text("utf-8"))["mcpServers"] == servers
    (tmp_path / "mcp.json.coatcheck-backup").unlink()
    carry_out(plan_uninstall(file))
    assert servers_of(file) == servers


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("lost", [False, True])
def test_later_changes_survive_with_and_without_the_backup(tmp_path, indent, lost):
    servers = {
        "a": {"command": "x"},
        "b": {"command": "y", "env": {"K": "v"}},
        "off": {"command": "z", "disabled": True},
    }
    file = file_with(tmp_path, servers, indent)
    carry_out(plan_gateway(file, LAUNCHER))
    assert list(servers_of(file)) == ["coatcheck", "off"]
    assert servers_of(file)["coatcheck"]["args"] == [
        *("wrap", "--object-store-backend", "sqlite", "--servers", str(gateway_file(file)))
    ]
    file.path.write_text(file.path.read_text().replace('"other"', '"renamed"'))
    if lost:
        (tmp_path / "mcp.json.coatcheck-backup").unlink()
    carry_out(plan_uninstall(file))
    assert servers_of(file) == servers
    assert list(servers_of(file)) == list(servers)
    assert '"renamed"' in file.path.read_text()


def test_servers_that_are_added_later_move_into_the_same_gateway(tmp_path):
    file = file_with(tmp_path, {"a": {"command": "x"}})
    carry_out(plan_gateway(file, LAUNCHER))
    value = json.loads(file.path.read_text())
    value["mcpServers"]["new"] = {"command": "y"}
    file.path.write_text(json.dumps(value, indent=2))
    carry_out(plan_gateway(file, LAUNCHER))
    assert list(servers_of(file)) == ["coatcheck"]
    carry_out(plan_uninstall(file))
    assert servers_of(file) == {"a": {"command": "x"}, "new": {"command": "y"}}


def test_a_server_that_is_called_coatcheck_keeps_its_name(tmp_path):
    file = file_with(tmp_path, {"coatcheck": {"command": "x", "disabled": True}, "a": {"command": "x"}})
    before = contents(tmp_path)
    carry_out(plan_gateway(file, LAUNCHER))
    assert list(servers_of(file)) == ["coatcheck", "coatcheck-gateway"]
    carry_out(plan_uninstall(file))
    assert contents(tmp_path) == before | {key: value for key, value in contents(tmp_path).items() if "data" in key}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"command": "x", "env": {"A": "${input:a}"}}, "only the client knows"),
        ({"command": "x", "includeTools": ["a"]}, "only the client applies its includeTools"),
        ({"command": "coatcheck", "args": ["wrap", "--", "x"]}, "wrapped already"),
        ({"url": "https://h/mcp", "oauth": {}}, "the client signs in"),
        (None, "it is null"),
        ({"command": ["x", "y"]}, "its command is not a string"),
        ({"cmd": "x"}, "its command is not a string"),
        ({"command": "x", "args": "y z"}, "its args are not a list of strings"),
        ({"url": "nonsense"}, "its URL is malformed"),
    ],
)
def test_servers_that_only_the_client_can_run_stay_unchanged(tmp_path, entry, reason):
    file = file_with(tmp_path, {"odd": entry, "a": {"command": "x"}})
    plan = plan_gateway(file, LAUNCHER)
    assert reason in plan.outcomes[0].reason
    carry_out(plan)
    assert servers_of(file)["odd"] == entry


def test_uninstall_includes_the_servers_next_to_the_gateway(tmp_path):
    file = file_with(tmp_path, {"a": {"command": "x"}, "b": {"command": "y", "env": {"A": "${input:a}"}}})
    before = file.path.read_bytes()
    for words in (["install", "--gateway"], ["install"], ["uninstall"]):
        done = run(words[0], "cursor", *words[1:], "--file", str(file.path), "--yes", home=tmp_path)
        assert done.returncode == 0, done.stderr
    assert file.path.read_bytes() == before


def test_a_server_behind_the_gateway_that_does_not_start_is_named(tmp_path):
    file = file_with(
        tmp_path, {"broken": {"command": "/nowhere/to/be/found"}, "far": {"url": "https://example.org/mcp"}}
    )
    carry_out(plan_gateway(file, (COATCHECK,)))
    done = run("status", "cursor", "--file", str(file.path), "--check", home=tmp_path)
    assert done.returncode == 1
    assert "      broken  does not start: /nowhere/to/be/found could not be started" in done.stdout
    assert "      far     was not started: it is at a URL" in done.stdout


def test_codex_has_no_gateway(sample):
    with pytest.raises(SettingsError, match="share one store without it"):
        plan_gateway(sample("codex"), LAUNCHER)


def test_a_gateway_whose_servers_are_lost_points_to_the_backup(tmp_path):
    file = file_with(tmp_path, {"a": {"command": "x"}})
    carry_out(plan_gateway(file, LAUNCHER))
    gateway_file(file).unlink()
    now = file.path.read_bytes()
    with pytest.raises(ConfigFileError, match="coatcheck-backup"):
        plan_uninstall(file)
    assert file.path.read_bytes() == now


@pytest.mark.anyio
async def test_the_object_tools_appear_once_and_a_reference_works_in_every_server(tmp_path):
    file = file_with(tmp_path, {"one": git_entry(tmp_path), "two": git_entry(tmp_path)})
    done = run("install", "cursor", "--file", str(file.path), "--gateway", "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one: moved into the gateway" in done.stdout
    shown = run("status", "cursor", "--file", str(file.path), "--check", home=tmp_path).stdout
    assert "wrapped, shared store, starts: " in shown
    assert re.search(r"    behind the gateway:\n      one  starts: .*\n      two  starts: .*\n", shown)
    shown = run("status", "cursor", "--file", str(file.path), home=tmp_path).stdout
    assert "    behind the gateway: one, two\n" in shown
    entry = servers_of(file)["coatcheck"]
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"])
    async with Client(stdio_client(parameters)) as client:

        async def both() -> list[str]:
            names = [tool.name for tool in (await client.list_tools()).tools]
            return names if {"one__git_log", "two__git_log"} <= set(names) else []

        names = await until(both, "both servers have joined", interval=0.2)  # a slow server joins later
    assert names.count("object_store_get") == 1
    assert "mcp_server_git" not in " ".join(entry["args"])
    assert run("uninstall", "cursor", "--file", str(file.path), "--yes", home=tmp_path).returncode == 0
    assert set(servers_of(file)) == {"one", "two"}
