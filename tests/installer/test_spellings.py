"""Spellings of other programs in configurations: each is understood, or that one server is left unchanged."""

import json
from pathlib import Path

import pytest

from coatcheck.installer import CLIENTS, ConfigFile, carry_out, plan_install, plan_uninstall, states_of
from coatcheck.installer.server_reader import UnreadableServer, fill_variables, is_disabled, read_server, split_command
from tests.installer.conftest import LAUNCHER

FILL = fill_variables({"TOKEN": "t0k", "DB": "postgres://x"}, lambda: Path("/home/zoe"))


@pytest.mark.parametrize(
    ("entry", "command", "environment"),
    [
        ({"command": "npx", "args": ["-y", "p"]}, ("npx", "-y", "p"), {}),
        ({"command": "npx -y 'a b'"}, ("npx", "-y", "a b"), {}),
        ({"command": "npx -y", "args": ["p"]}, ("npx", "-y", "p"), {}),
        ({"command": ["npx", "-y", "p"], "type": "local"}, ("npx", "-y", "p"), {}),
        ({"command": "x", "args": "-y p"}, ("x", "-y", "p"), {}),
        ({"command": "x", "args": None, "env": None, "cwd": None, "url": None}, ("x",), {}),
        ({"command": "x", "args": ["--port", 8080, 1.5, True]}, ("x", "--port", "8080", "1.5", "true"), {}),
        (
            {"command": "x", "env": {"A": True, "B": 8080, "C": None, "D": "d", "E": 1.5}},
            ("x",),
            {"A": "true", "B": "8080", "D": "d", "E": "1.5"},
        ),
        (
            {"command": "x", "args": ["${TOKEN}"], "env": {"A": "${env:TOKEN}", "B": "${NO:-b}", "C": "$DB"}},
            ("x", "t0k"),
            {"A": "t0k", "B": "b", "C": "postgres://x"},
        ),
        ({"command": "sh", "args": ["-c", "$DB"], "env": {"P": "$ecret"}}, ("sh", "-c", "$DB"), {"P": "$ecret"}),
        ({"command": "${userHome}/bin/x"}, ("/home/zoe/bin/x",), {}),
        ({"type": "stdio", "command": "x", "enabled": True}, ("x",), {}),
        ({"transport": {"type": "stdio", "command": "x"}}, ("x",), {}),
    ],
)
def test_commands_are_read_in_the_spellings_of_other_programs(entry, command, environment):
    read = read_server(entry, FILL)
    assert (read.command, dict(read.environment), read.url) == (command, environment, None)


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ({"url": "U"}, None),
        ({"serverUrl": "U", "type": None}, None),
        ({"httpUrl": "U"}, None),
        *(
            ({"url": "U", "type": kind}, "streamable-http")
            for kind in (
                "http",
                "HTTP",
                "streamable-http",
                "streamableHttp",
                "streamable_http",
                "http-stream",
                "remote",
            )
        ),
        *(({"url": "U", key: "sse"}, "sse") for key in ("type", "transport", "transportType")),
        ({"url": "U", "command": ""}, None),
        ({"url": "U", "command": None}, None),
        ({"transport": {"type": "SSE", "url": "U"}}, "sse"),
    ],
)
def test_urls_and_transports_are_read_in_all_spellings(entry, transport):
    read = read_server(entry, FILL)
    assert (read.url, read.transport, read.command) == ("U", transport, ())


def test_headers_are_read_in_all_spellings():
    entry = {
        "url": "U",
        "headers": {"A": 1, "B": "${TOKEN}", "C": None},
        "http_headers": {"D": "d"},
        "env_http_headers": {"E": "DB"},
        "bearer_token_env_var": "TOKEN",
    }
    assert dict(read_server(entry, FILL).headers) == {
        "A": "1", "B": "t0k", "D": "d", "E": "postgres://x", "Authorization": "Bearer t0k",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, "it is null"),
        ([], "it is not an object"),
        ("npx", "it is not an object"),
        ({}, "neither a command nor a URL"),
        ({"type": "stdio"}, "no command"),
        ({"type": "sse"}, "no URL"),
        ({"type": "stdio", "url": "U"}, "no command"),
        ({"url": "U", "type": "ws"}, 'its type is "ws"; known are stdio, http and sse'),
        ({"url": 7}, "URL is not a string"),
        ({"command": 7}, "command is not a string"),
        ({"command": "x", "args": {"a": 1}}, "args are not a list"),
        ({"command": "x", "args": ["y", None]}, "argument 2 is null"),
        ({"command": "x", "args": "'open"}, "open quote"),
        ({"command": "x", "env": ["A=b"]}, "env is not an object"),
        ({"command": "x", "env": {"A": {"B": 1}}}, "env A is an object"),
        ({"command": "x", "env": {"A": "${NOT_SET}"}}, "the variable NOT_SET is not set"),
        ({"command": "x", "env": {"A": "${input:token}"}}, r"only the client knows what \$\{input:token\} is"),
        ({"command": "x", "args": ["${workspaceFolder}/y"]}, "only the client knows what"),
        ({"command": "x", "envFile": ".env"}, "envFile"),
        ({"command": "x", "cwd": 7}, "cwd is not a string"),
    ],
)
def test_unusable_entries_have_a_reason(entry, reason):
    with pytest.raises(UnreadableServer, match=reason):
        read_server(entry, FILL)


@pytest.mark.parametrize(
    ("entry", "disabled"),
    [
        ({"disabled": True}, True),
        ({"enabled": False}, True),
        ({"disabled": "true"}, True),
        ({"disabled": False}, False),
        ({"enabled": True}, False),
        ({"disabled": None}, False),
        ({}, False),
        (None, False),
    ],
)
def test_disabled_servers_are_recognised(entry, disabled):
    assert is_disabled(entry) is disabled


def test_a_program_whose_name_has_a_space_is_not_split(tmp_path):
    program = tmp_path / "my server"
    program.touch(mode=0o755)
    assert split_command(str(program)) == (str(program),)
    assert split_command("my server") == ("my", "server")
    assert split_command("it's") == ("it's",)


ODD = {
    "null": None,
    "text": "npx",
    "list": ["npx"],
    "number-command": {"command": 7},
    "list-command": {"command": ["npx", "-y"]},
    "object-args": {"command": "x", "args": {"a": 1}},
    "inner-args": {"command": "x", "args": [["y"]]},
    "type": {"type": "ws", "url": "http://localhost/mcp"},
    "object-transport": {"transport": {"type": "http"}, "url": "http://localhost/mcp"},
    "numbers-in-headers": {"url": "http://localhost/mcp", "headers": {"A": 1}},
    "no-url": {"url": None},
    "empty": {},
}
GOOD = {
    "null-args": {"command": "x", "args": None},
    "null-members": {"command": "x", "args": ["y"], "env": None, "cwd": None, "url": None},
    "numbers": {"command": "x", "args": ["--port", 8080, True, 1.50], "env": {"A": True, "B": 8080}},
    "disabled": {"command": "x", "disabled": True},
    "not-enabled": {"command": "x", "enabled": False},
    "variables": {"command": "x", "args": ["${env:HOME}", "${input:a}"], "env": {"A": "${NOT_SET}"}},
    "one-string": {"command": "npx -y p"},
    "transport": {"transport": "sse", "url": "http://localhost/events"},
    "streamable": {"type": "streamable_http", "url": "http://localhost/mcp", "headers": None},
}


def test_one_bad_entry_never_stops_the_others_and_all_are_restored(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {**ODD, **GOOD}}, indent=1))
    before = path.read_bytes()
    file = ConfigFile(CLIENTS["cursor"], path)
    plan = plan_install(file, LAUNCHER)
    carry_out(plan)
    assert {outcome.label for outcome in plan.outcomes if outcome.action == "left alone"} == set(ODD)
    assert all(outcome.reason for outcome in plan.outcomes if outcome.action == "left alone")
    assert {state.label for state in states_of(file) if state.wrapped} == set(GOOD)
    after = json.loads(path.read_bytes())["mcpServers"]
    assert after["numbers"]["args"] == ["wrap", "--", "x", "--port", 8080, True, 1.5]
    assert after["transport"]["transport"] == "stdio"
    assert after["transport"]["args"] == ["wrap", "--url", "http://localhost/events", "--sse"]
    assert {name: after[name] for name in ODD} == ODD
    carry_out(plan_uninstall(file))
    assert path.read_bytes() == before


def test_without_the_backup_unusual_entries_are_restored_too(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {**ODD, **GOOD}}))
    file = ConfigFile(CLIENTS["cursor"], path)
    carry_out(plan_install(file, LAUNCHER))
    (tmp_path / "mcp.json.coatcheck-backup").unlink()
    carry_out(plan_uninstall(file))
    after = json.loads(path.read_bytes())["mcpServers"]
    after["null-args"]["args"] = None  # whether it was null or empty is forgotten with the backup
    for name in ("disabled", "not-enabled", "one-string"):
        assert after[name].pop("args", []) == []
    assert after["streamable"].pop("type") == "http"
    assert after == {**ODD, **GOOD} | {"streamable": {"url": "http://localhost/mcp", "headers": None}}


@pytest.mark.parametrize(
    ("servers", "alone"),
    [
        ('{"a": {"command": "x"}, "b": {"command": "y"}, "a": {}}', {"a"}),
        ('{"a": {"command": "x", "command": "y"}, "b": {"command": "y"}}', {"a"}),
        ('{"b": {"command": "y"}, "c": null}', {"c"}),
    ],
)
def test_an_ambiguous_entry_is_unchanged_and_the_others_are_wrapped(tmp_path, servers, alone):
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": ' + servers + "}")
    before = path.read_bytes()
    file = ConfigFile(CLIENTS["cursor"], path)
    plan = plan_install(file, LAUNCHER)
    assert {outcome.label for outcome in plan.outcomes if outcome.action == "left alone"} == alone
    carry_out(plan)
    assert [state.label for state in states_of(file) if state.wrapped] == ["b"]
    carry_out(plan_uninstall(file))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ['{"mcpServers": null}', '{"mcpServers": null, "projects": null}', '{"projects": {"p": {"mcpServers": null}}}'],
)
def test_null_in_place_of_the_servers_means_no_servers(tmp_path, text):
    path = tmp_path / "f"
    path.write_text(text)
    assert states_of(ConfigFile(CLIENTS["claude-code"], path)) == []


def test_a_project_whose_servers_are_a_list_does_not_stop_the_others(tmp_path):
    path = tmp_path / "f"
    path.write_text('{"projects": {"p": {"mcpServers": []}, "q": {"mcpServers": {"a": {"command": "x"}}}}}')
    plan = plan_install(ConfigFile(CLIENTS["claude-code"], path), LAUNCHER)
    assert [outcome.action for outcome in plan.outcomes] == ["left alone", "wrapped"]


@pytest.mark.parametrize(
    "entry", [{"command": "coatcheck wrap -- x"}, {"command": "uvx coatcheck", "args": ["wrap", "x"]}]
)
def test_a_command_in_one_text_that_wraps_a_server_stays_as_it_is(tmp_path, entry):
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": entry}}))
    file = ConfigFile(CLIENTS["cursor"], path)
    for plan in (plan_install(file, LAUNCHER), plan_uninstall(file)):
        assert [outcome.action for outcome in plan.outcomes] == ["unchanged"]
        assert "wrapped already" in plan.outcomes[0].reason
    assert [state.wrapped for state in states_of(file)] == [True]
