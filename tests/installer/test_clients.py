import sys
from pathlib import Path

import pytest

from coatcheck.errors import CoatcheckError, SettingsError
from coatcheck.installer import CLIENTS, config_files_of, find_client, find_config_file, find_launcher
from coatcheck.installer.config_files import user_file

MAC, WINDOWS, LINUX = "darwin", "win32", "linux"


@pytest.mark.parametrize(
    ("client", "platform", "path"),
    [
        ("claude-desktop", MAC, "/home/z/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", WINDOWS, "/home/z/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-desktop", LINUX, "/home/z/.config/Claude/claude_desktop_config.json"),
        ("claude-code", LINUX, "/home/z/.claude.json"),
        ("claude-code", WINDOWS, "/home/z/.claude.json"),
        ("cursor", MAC, "/home/z/.cursor/mcp.json"),
        ("vscode", MAC, "/home/z/Library/Application Support/Code/User/mcp.json"),
        ("vscode", WINDOWS, "/home/z/AppData/Roaming/Code/User/mcp.json"),
        ("vscode", LINUX, "/home/z/.config/Code/User/mcp.json"),
        ("windsurf", WINDOWS, "/home/z/.codeium/windsurf/mcp_config.json"),
        ("codex", LINUX, "/home/z/.codex/config.toml"),
        ("gemini-cli", MAC, "/home/z/.gemini/settings.json"),
    ],
)
def test_each_client_has_its_file_at_the_documented_path(client, platform, path):
    assert user_file(CLIENTS[client], platform=platform, home=Path("/home/z"), environment={}) == Path(path)


@pytest.mark.parametrize(
    ("client", "platform", "variable", "path"),
    [
        ("claude-desktop", WINDOWS, "APPDATA", "/v/Claude/claude_desktop_config.json"),
        ("vscode", LINUX, "XDG_CONFIG_HOME", "/v/Code/User/mcp.json"),
        ("claude-code", LINUX, "CLAUDE_CONFIG_DIR", "/v/.claude.json"),
        ("codex", MAC, "CODEX_HOME", "/v/config.toml"),
    ],
)
def test_variables_move_the_files(client, platform, variable, path):
    environment = {variable: "/v"}
    assert user_file(CLIENTS[client], platform=platform, home=Path("/home/z"), environment=environment) == Path(path)


def test_clients_are_found_by_their_names_and_others_are_reported(monkeypatch):
    assert find_client("Claude Desktop") is CLIENTS["claude-desktop"]
    assert find_client("gemini_cli") is CLIENTS["gemini-cli"]
    aliases = {"claude": "claude-code", "VS Code": "vscode", "gemini": "gemini-cli", "codex-cli": "codex"}
    assert {alias: find_client(alias).name for alias in aliases} == aliases
    with pytest.raises(SettingsError, match="Did you mean windsurf"):
        find_client("windsrf")
    with pytest.raises(SettingsError, match=r"emacs.*Known clients: claude-desktop, claude-code, cursor, vscode"):
        find_client("emacs")


def test_a_file_of_a_project_is_found_but_only_used_if_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    project = tmp_path / "shop"
    project.mkdir()
    (project / ".mcp.json").write_text("{}")
    monkeypatch.chdir(project)
    assert [place.in_project for place in config_files_of(CLIENTS["claude-code"])] == [False, True]
    with pytest.raises(CoatcheckError, match=r"has no file .*There is .*\.mcp\.json: name it with --file"):
        find_config_file(CLIENTS["claude-code"])
    assert find_config_file(CLIENTS["claude-code"], Path(".mcp.json")).in_project
    assert not find_config_file(CLIENTS["cursor"], Path(".mcp.json")).in_project


def test_coatcheck_is_started_by_its_absolute_path_or_in_a_project_by_its_name(monkeypatch, tmp_path):
    script = Path(sys.executable).with_name("coatcheck")
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert find_launcher() == (str(script),)
    assert find_launcher(in_project=True) == ("coatcheck",)


@pytest.mark.parametrize(
    ("script", "runner", "words"),
    [
        (".cache/uv/archive-v0/x/bin/coatcheck", "uvx", ("coatcheck",)),
        ("elsewhere/environments-v2/coatcheck-1/bin/coatcheck", "uvx", ("coatcheck",)),
        (".local/pipx/.cache/d1f/bin/coatcheck", "pipx", ("run", "coatcheck")),
        ("tagged/x/bin/coatcheck", "uvx", ("coatcheck",)),
    ],
)
def test_a_path_inside_a_cache_is_never_written(monkeypatch, tmp_path, script, runner, words):
    called = tmp_path / script
    called.parent.mkdir(parents=True)
    called.touch()
    if "tagged" in script:
        (tmp_path / "tagged" / "CACHEDIR.TAG").touch()
    monkeypatch.setattr(sys, "argv", [str(called)])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=rf"cache that {runner} may empty.*uv tool install coatcheck"):
        find_launcher()
    program = tmp_path / runner
    program.touch(mode=0o755)
    found = find_launcher()
    assert found[0] == str(program)
    assert [found[1], found[-1]] == [words[0] if runner == "pipx" else "--from", "coatcheck"]
    assert not [word for word in found if str(called.parent) in word]
