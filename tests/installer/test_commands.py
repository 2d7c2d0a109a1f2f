import contextlib
import fcntl
import hashlib
import json
import os
import pty
import subprocess
import sys
from contextlib import contextmanager

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from typer.testing import CliRunner

from coatcheck.cli.app import app
from coatcheck.installer import CLIENTS, ConfigFile
from coatcheck.installer.server_entries import ServerState, states_of
from coatcheck.installer.server_start import try_start
from tests.command_line import run_here
from tests.installer.conftest import contents, secrets_in
from tests.ports import free_port, wait_until_listening
from tests.preloaded_python import COATCHECK, PYTHON
from tests.waiting import wait_until

SECRET = "tok-very-secret-0123456789"


def run(*arguments, home, folder=None, stdin=None):
    """Run a command; in a separate process if it reads ``stdin``."""
    environment = {**os.environ, "HOME": str(home), "NO_COLOR": "1"}
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        environment.pop(name, None)
    if stdin is None:
        return run_here(*arguments, environment=environment, folder=folder or home)
    return subprocess.run(
        [COATCHECK, *arguments],
        stdin=stdin, capture_output=True, text=True, timeout=60, env=environment, cwd=folder or home,
    )  # fmt: skip


def invoke(*arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_dry_run_shows_the_difference_and_changes_nothing(client_name, sample, tmp_path):
    place = sample(client_name)
    before, modified = contents(tmp_path), place.path.stat().st_mtime_ns
    shown = invoke("install", client_name, "--file", str(place.path), "--dry-run")
    assert f"--- {place.path}\n+++ {place.path} (new)\n@@" in shown
    assert '"wrap", "--object-store-backend", "sqlite", "--", "' in shown
    assert ": would be wrapped\n" in shown
    assert "was not changed: this was a dry run" in shown
    assert contents(tmp_path) == before
    assert place.path.stat().st_mtime_ns == modified


@pytest.mark.parametrize("command", [["install", "cursor", "--dry-run"], ["status"]])
def test_names_and_urls_in_a_configuration_cannot_control_the_terminal(tmp_path, command):
    hostile = "a\x1b[2J\x1b]52;c;eA==\x07\r\nb: wrapped\x9b2J\u202e\u2066\U000e0041\x7f"
    servers = {
        hostile: {"command": hostile, "args": [hostile], "env": {hostile: hostile}},
        f"{hostile}url": {"url": f"https://example.com/{hostile}"},
    }
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": servers}, ensure_ascii=False))
    environment = {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}
    terminal, end = pty.openpty()
    process = subprocess.Popen([COATCHECK, *command], stdin=end, stdout=end, stderr=end, env=environment)
    os.close(end)
    shown = b""
    with os.fdopen(terminal, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # the end of a terminal
        while part := screen.read(60_000):
            shown += part
    assert process.wait(60) == 0
    lines = shown.decode().split("\r\n")
    assert any("wrapped" in line for line in lines)
    assert not [line for line in lines if line.startswith("b: wrapped")]
    assert not [each for line in lines for each in line if not each.isprintable() and each != "\t"]


def test_without_an_answer_nothing_is_changed_or_reported_as_done(sample, tmp_path):
    place = sample("cursor")
    before = contents(tmp_path)
    done = CliRunner().invoke(app, ["install", "cursor", "--file", str(place.path)], input="n\n")
    assert done.exit_code == 1
    assert ": will be wrapped\n" in done.output
    assert ": wrapped\n" not in done.output
    assert contents(tmp_path) == before


def test_for_a_client_without_a_file_the_message_says_how_to_add_a_server(tmp_path):
    done = run("install", "claude-desktop", "--dry-run", home=tmp_path)
    assert done.returncode == 1
    assert "`coatcheck add claude-desktop NAME -- COMMAND`" in done.stderr


def test_no_secret_is_shown_or_moved_into_an_argument(client_name, sample, tmp_path):
    place = sample(client_name)
    secrets = secrets_in(place.path.read_text("utf-8"))
    arguments = {word for state in states_of(place) for word in state.command}
    shown = ""
    for words in (["install", client_name, "--yes"], ["status", client_name], ["uninstall", client_name, "--yes"]):
        shown += invoke(*words, "--file", str(place.path))
        for state in states_of(place):
            assert not [word for word in state.command if word in secrets - arguments]
    assert secrets
    assert not [secret for secret in secrets if secret in shown]


def shown_change(tmp_path, text):
    path = tmp_path / "mcp.json"
    path.write_text(text)
    return invoke("install", "cursor", "--file", str(path), "--dry-run")


def test_comments_are_masked_completely(tmp_path):
    server = '{ // qmine\n "command": /* qwhich */ "x" /* qone\n * qtwo\nqthree */, "args": []}'
    shown = shown_change(tmp_path, '{"mcpServers": {"a": ' + server + "}}")
    assert '+ "command": /* ••• */ "' in shown
    assert "/* •••\n  * •••\n" in shown
    assert "\n-••• */, " in shown
    assert not [word for word in ("qmine", "qwhich", "qone", "qtwo", "qthree") if word in shown]


def test_a_file_without_servers_at_the_client_s_place_is_said_to_have_none(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text('{"servers": {"a": {"command": "x"}}}')
    for command in ("install", "uninstall"):
        shown = invoke(command, "cursor", "--file", str(path), "--yes")
        assert shown.endswith(": nothing to change; it has no servers under mcpServers.\n")


def test_uninstall_names_servers_that_are_not_wrapped(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"a": {"command": "x"}}}')
    shown = invoke("uninstall", "cursor", "--file", str(path), "--yes")
    assert shown == f"a: unchanged (it is not wrapped)\n{path}: nothing to change.\n"


def test_tabs_are_shown_as_tabs(tmp_path):
    assert '\n+\t"a": {"command": "' in shown_change(tmp_path, '{"mcpServers": {\n\t"a": {"command": "x"}\n}}')


def test_a_lone_surrogate_in_an_argument_can_be_shown(tmp_path):
    assert '"\\ud83d"' in shown_change(tmp_path, r'{"mcpServers": {"a": {"command": "x", "args": ["\ud83d"]}}}')


@pytest.mark.parametrize(
    "arguments",
    [
        ["-H", "Authorization: Bearer topsecret"],
        ["X-Api-Key:topsecret"],
        ["-e", "GITHUB_PAT=ghp_topsecret0123456789"],
        ["sk-topsecret-0123456789"],
        ["--pwd", "topsecret"],
        ["https://me:topsecret@host/mcp?key=topsecret"],
        ["--database=postgres://me:topsecret@host/db?sslkey=topsecret"],
    ],
)
def test_arguments_that_look_like_secrets_are_masked(tmp_path, arguments):
    shown = shown_change(tmp_path, json.dumps({"mcpServers": {"a": {"command": "x", "args": arguments}}}))
    assert "•••" in shown
    assert "topsecret" not in shown


def test_nothing_is_changed_without_confirmation(sample, tmp_path):
    place = sample("cursor")
    before = contents(tmp_path)
    done = run("install", "cursor", "--file", str(place.path), home=tmp_path)
    assert done.returncode == 2
    assert "add --yes" in done.stderr
    assert contents(tmp_path) == before


def test_a_malformed_file_is_reported_in_one_line(tmp_path):
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text('{"mcpServers": {"a": }}')
    done = run("install", "cursor", "--yes", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"coatcheck: {tmp_path}/.cursor/mcp.json, line 1, column 22: a value is missing")
    assert done.stderr.count("\n") == 1


def test_status_lists_every_client_and_the_project_in_the_folder(tmp_path):
    project = tmp_path / "shop"
    project.mkdir()
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text('[mcp_servers.git]\ncommand = "uvx"\nargs = ["mcp-server-git"]\n')
    (project / ".mcp.json").write_text('{"mcpServers": {"docs": {"url": "https://example.com/mcp"}}}')
    assert run("install", "codex", "--yes", home=tmp_path).returncode == 0
    done = run("status", home=tmp_path, folder=project)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert [
        client.title for client in CLIENTS.values() if not any(line.startswith(client.title) for line in lines)
    ] == []
    assert "git  wrapped, shared store" in lines
    assert "docs  not wrapped (at a URL)" in lines
    assert f"Windsurf: no file {tmp_path}/.codeium/windsurf/mcp_config.json" in lines


def git_entry(folder):
    return {"command": PYTHON, "args": ["-m", "mcp_server_git"], "cwd": str(folder), "env": {"TOKEN": SECRET}}


def installed(tmp_path, servers):
    """Write a file of servers, install, and return the entries."""
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}, indent=2))
    done = run("install", "cursor", "--file", str(path), "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return path, json.loads(path.read_text())["mcpServers"]


async def tools_of(entry):
    parameters = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=entry.get("env"), cwd=entry.get("cwd")
    )
    async with Client(stdio_client(parameters)) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.anyio
async def test_a_wrapped_entry_starts_like_in_the_client(tmp_path):
    _, entries = installed(tmp_path, {"git": git_entry(tmp_path)})
    assert SECRET not in " ".join(entries["git"]["args"])
    assert entries["git"]["env"] == {"TOKEN": SECRET}
    names = await tools_of(entries["git"])
    assert {"git_log", "git_status", "object_store_get"} <= names


@contextmanager
def server_with_token(tmp_path):
    """A server over HTTP that requires a token."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"zoe {hashlib.sha256(SECRET.encode()).hexdigest()}\n")
    port = free_port()
    command = ["serve", "--transport", "streamable-http", "--port", str(port), "--auth-tokens", str(tokens)]
    process = subprocess.Popen([COATCHECK, *command], stderr=subprocess.DEVNULL)
    try:
        wait_until_listening(port, process)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.anyio
async def test_a_wrapped_url_sends_the_headers_from_variables(tmp_path):
    with server_with_token(tmp_path) as url:
        server = {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {SECRET}"}}
        path, entries = installed(tmp_path, {"far": server})
        assert SECRET not in " ".join(entries["far"]["args"])
        assert "object_store_get" in await tools_of(entries["far"])
        state = next(state for state in states_of(ConfigFile(CLIENTS["cursor"], path)) if state.label == "far")
        assert try_start(state.entry).works
        state.entry["env"]["COATCHECK_HEADER_AUTHORIZATION"] = "Bearer wrong"
        refused = try_start(state.entry)
        assert refused.works is False
        assert SECRET not in refused.says


def test_status_starts_wrapped_servers_on_request(tmp_path):
    path, _ = installed(
        tmp_path,
        {
            "git": git_entry(tmp_path),
            "gone": {"command": "no-such-server", "env": {"TOKEN": SECRET}},
            "talks": {"command": sys.executable, "args": ["-c", f"import sys; sys.exit('bad token {SECRET}')"], "env": {"TOKEN": SECRET}},
            "asks": {"command": "x", "env": {"TOKEN": "${input:token}"}},
            "off": {"command": "no-such-server", "disabled": True},
        },
    )  # fmt: skip
    done = run("status", "cursor", "--file", str(path), "--check", home=tmp_path)
    assert done.returncode == 1
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[2:]}
    assert "wrapped, shared store, starts: mcp-git" in lines["git"]
    assert lines["off"].endswith("wrapped, shared store, disabled")
    assert "does not start" in lines["gone"]
    assert "no-such-server" in lines["gone"]
    assert "bad token •••" in lines["talks"]
    assert "was not started: only the client knows what ${input:token} is" in lines["asks"]
    assert SECRET not in done.stdout + done.stderr


def test_a_silent_server_is_ended_with_its_child_processes(tmp_path):
    lock, script = tmp_path / "lock", tmp_path / "mute.py"
    script.write_text(
        f"import fcntl, signal\nf = open({str(lock)!r}, 'w')\nfcntl.flock(f, fcntl.LOCK_EX)\nsignal.pause()\n"
    )
    state = ServerState(
        "mute", "command", True, False, False, {"command": "sh", "args": ["-c", f"{sys.executable} {script}; true"]}
    )
    start = try_start(state.entry, timeout=2.0)
    assert (start.works, start.says) == (False, "it did not answer in 2 s")
    with lock.open() as file:
        wait_until(lambda: is_free(file), "no process holds the lock")


def is_free(file):
    """Whether the process that locked a file has exited; a zombie counts as exited."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_without_a_name_the_known_and_installed_clients_are_listed(tmp_path):
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text("{}")
    done = run("install", home=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "coatcheck: Name a client, or --all:"
    assert [line.split()[0] for line in lines[1:]] == list(CLIENTS)
    assert [line for line in lines if line.endswith("(on this machine)")] == [lines[3]]


def test_all_clients_are_installed_and_uninstalled_with_one_command(tmp_path):
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text('[mcp_servers.b]\ncommand = "x"\n')
    before = contents(tmp_path)
    done = run(
        "install",
        "--all",
        "--yes",
        "--inline-limit",
        "9000",
        "--object-store-ttl",
        "0.5",
        "--object-tools",
        "get,query",
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    wrapped = json.loads((tmp_path / ".cursor" / "mcp.json").read_text())["mcpServers"]["a"]["args"]
    assert wrapped == [
        *("wrap", "--object-store-backend", "sqlite", "--inline-limit", "9000", "--object-store-ttl", "0.5"),
        *("--object-tools", "get,query"),
        *("--", "x"),
    ]
    assert "wrap" in (tmp_path / ".codex" / "config.toml").read_text()
    assert run("uninstall", "--all", "--yes", home=tmp_path).returncode == 0
    assert contents(tmp_path) == before


def test_one_malformed_file_does_not_stop_the_other_clients(tmp_path):
    for folder, text in ((".cursor", "{"), (".gemini", '{"mcpServers": {"a": {"command": "x"}}}')):
        (tmp_path / folder).mkdir()
        name = "mcp.json" if folder == ".cursor" else "settings.json"
        (tmp_path / folder / name).write_text(text)
    done = run("install", "--all", "--yes", home=tmp_path)
    assert done.returncode == 1
    assert ".cursor/mcp.json, line 1" in done.stderr
    assert '"wrap"' in (tmp_path / ".gemini" / "settings.json").read_text()


def test_the_shell_completes_commands_and_clients(tmp_path, monkeypatch):
    in_a_shell = ["bash", "-c", f"{COATCHECK} --show-completion; exit $?"]  # the shell is recognised by its process
    shown = subprocess.run(in_a_shell, capture_output=True, text=True, timeout=60)
    # The variable is named after the program.
    assert "_COATCHECK_COMPLETE" in shown.stdout, shown.stderr
    monkeypatch.setenv("_COATCHECK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "coatcheck install cl")
    monkeypatch.setenv("COMP_CWORD", "2")
    completed = run(home=tmp_path, stdin=subprocess.DEVNULL)
    assert completed.stdout.split() == ["claude-desktop", "claude-code"]
