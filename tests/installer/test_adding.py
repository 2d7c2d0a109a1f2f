"""`coatcheck add`: adds one server to a client's file and changes nothing else in it."""

import base64
import json
import stat
import tomllib
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from coatcheck.installer import CLIENTS, ConfigFile, carry_out, plan_add, plan_uninstall, states_of
from coatcheck.installer.server_start import try_start
from tests.installer.conftest import contents
from tests.installer.test_commands import run
from tests.preloaded_python import PYTHON

ENTRY = {"command": "/bin/coatcheck", "args": ["wrap", "--", "x", "é"], "env": {"A": "b"}}


def test_a_server_is_added_to_the_file_of_every_client_and_the_rest_is_unchanged(client_name, sample):
    file = sample(client_name)
    before = file.path.read_bytes().decode()
    old = [state.label for state in states_of(file)]
    plan = plan_add(file, "new one", ENTRY)
    carry_out(plan)
    after = file.path.read_bytes().decode()
    (edit,) = plan.edits
    assert after[: edit.start] == before[: edit.start]
    assert after[edit.start + len(edit.text) :] == before[edit.end :]
    assert sorted(state.label for state in states_of(file)) == sorted([*old, "new one"])
    assert next(state.entry for state in states_of(file) if state.label == "new one") == ENTRY
    assert after.count("\r\n") == after.count("\n") or "\r\n" not in before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"mcpServers": {}}', '{"mcpServers": {"n": {"command": "c"}}}'),
        ('{"mcpServers": {"a": {}}}', '{"mcpServers": {"a": {}, "n": {"command": "c"}}}'),
        (
            '{\n  "mcpServers": {\n    "a": {}\n  }\n}\n',
            '{\n  "mcpServers": {\n    "a": {},\n    "n": {\n      "command": "c"\n    }\n  }\n}\n',
        ),
        ('{\n\t"x": 1\n}', '{\n\t"x": 1,\n\t"mcpServers": {\n\t\t"n": {\n\t\t\t"command": "c"\n\t\t}\n\t}\n}'),
        ('{\n  "mcpServers": {}\n}', '{\n  "mcpServers": {\n    "n": {\n      "command": "c"\n    }\n  }\n}'),
        ('{\n  "mcpServers": null\n}', '{\n  "mcpServers": {\n    "n": {\n      "command": "c"\n    }\n  }\n}'),
        ('{"mcpServers": {"a": {}, /* c */ }}', '{"mcpServers": {"a": {}, "n": {"command": "c"}, /* c */ }}'),
        ("{}", '{\n  "mcpServers": {\n    "n": {\n      "command": "c"\n    }\n  }\n}'),
        ("", '{\n  "mcpServers": {\n    "n": {\n      "command": "c"\n    }\n  }\n}\n'),
    ],
)
def test_the_new_server_is_formatted_like_the_others(tmp_path, text, expected):
    path = tmp_path / "mcp.json"
    path.write_text(text)
    file = ConfigFile(CLIENTS["cursor"], path)
    carry_out(plan_add(file, "n", {"command": "c"}))
    assert path.read_text() == expected


def test_a_missing_file_is_created_for_its_owner_only(tmp_path):
    done = run("add", "cursor", "git", "--yes", "--env", "MINE=b", "--", "uvx", "mcp-server-git", home=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / ".cursor" / "mcp.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entry = json.loads(path.read_text())["mcpServers"]["git"]
    assert entry["args"] == ["wrap", "--object-store-backend", "sqlite", "--", "uvx", "mcp-server-git"]
    assert entry["env"] == {"MINE": "b"}
    assert [(state.label, state.wrapped) for state in states_of(ConfigFile(CLIENTS["cursor"], path))] == [("git", True)]


def test_an_added_server_starts_and_uninstall_unwraps_it(tmp_path):
    done = run("add", "codex", "git", "--yes", "--", PYTHON, "-m", "mcp_server_git", home=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / ".codex" / "config.toml"
    file = ConfigFile(CLIENTS["codex"], path)
    (state,) = states_of(file)
    start = try_start(state.entry)
    assert start.works, start.says
    carry_out(plan_uninstall(file))
    assert tomllib.loads(path.read_text())["mcp_servers"]["git"] == {
        "command": PYTHON,
        "args": ["-m", "mcp_server_git"],
    }


def test_a_dry_run_and_print_change_nothing(tmp_path):
    shown = run("add", "cursor", "git", "--dry-run", "--", "x", home=tmp_path).stdout
    assert "git: would be added" in shown
    assert "was not changed: this was a dry run" in shown
    printed = run("add", "cursor", "git", "--print", "--", "x", home=tmp_path).stdout
    snippet, link = printed.rsplit("\n\n", 1)
    entry = json.loads(snippet)["mcpServers"]["git"]
    query = parse_qs(urlsplit(link.strip()).query)
    assert json.loads(base64.b64decode(query["config"][0])) == entry
    assert query["name"] == ["git"]
    assert contents(tmp_path) == {}


def test_links_and_snippets_of_other_clients(tmp_path):
    vscode = run("add", "vs-code", "docs", "--url", "http://127.0.0.1:1/mcp", "--print", home=tmp_path).stdout
    link = json.loads(unquote(vscode.rsplit("vscode:mcp/install?", 1)[1]))
    assert link["name"] == "docs"
    assert link["args"][-2:] == ["--url", "http://127.0.0.1:1/mcp"]
    assert link["type"] == "stdio"
    claude = run("add", "claude", "git", "--print", "--", "x", home=tmp_path).stdout
    assert claude.splitlines()[-1].startswith("claude mcp add-json git '{")
    codex = run("add", "codex", "my server", "--print", "--", "x", home=tmp_path).stdout
    assert tomllib.loads(codex)["mcp_servers"]["my server"]["args"][-2:] == ["--", "x"]


def test_headers_become_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "topsecret")
    done = run(
        "add", "cursor", "far", "--yes", "--url", "http://127.0.0.1:1/mcp", "--header", "X-Api-Key: $MY_KEY",
        home=tmp_path,
    )  # fmt: skip
    assert "topsecret" not in done.stdout + done.stderr
    entry = json.loads((tmp_path / ".cursor" / "mcp.json").read_text())["mcpServers"]["far"]
    assert entry["args"][-2:] == ["--header", "X-Api-Key: $COATCHECK_HEADER_X_API_KEY"]
    assert entry["env"] == {"COATCHECK_HEADER_X_API_KEY": "topsecret"}


def test_a_url_with_a_secret_is_added_with_a_warning_and_shown_masked(tmp_path):
    url = "https://me:topsecret@host/mcp?key=topsecret"
    done = run("add", "cursor", "far", "--yes", "--url", url, home=tmp_path)
    assert done.returncode == 0
    assert "user, password and query of the URL can be read in the process list" in done.stderr
    assert "topsecret" not in done.stdout + done.stderr
    assert url in (tmp_path / ".cursor" / "mcp.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cursor", "git"], "Give the new server's command after --, or its --url"),
        (["cursor", "git", "--url", "http://h/mcp", "--", "x"], "but not both"),
        (["cursor", "git", "--url", "h"], "URL"),
        (["cursor", "git", "--header", "A: b", "--", "x"], "--header with --url"),
        (["emacs", "git", "--", "x"], "is not known"),
        (["cursr", "git", "--", "x"], "Did you mean cursor?"),
    ],
)
def test_invalid_additions_are_refused(tmp_path, arguments, message):
    done = run("add", *arguments, home=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert contents(tmp_path) == {}


def test_a_name_that_is_taken_is_refused(sample):
    file = sample("claude-desktop")
    done = run("add", "claude-desktop", "git", "--file", str(file.path), "--", "x", home=file.path.parent)
    assert (done.returncode, 'has a server "git" already' in done.stderr) == (2, True)
