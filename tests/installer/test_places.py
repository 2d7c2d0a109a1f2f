import sys
from pathlib import Path

import pytest

from coatcheck.errors import SettingsError
from coatcheck.installer import CLIENTS, find_client, find_launcher, place_of, places_of
from coatcheck.installer.places import user_file

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
def test_each_client_keeps_its_file_where_its_documentation_says(client, platform, path):
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


def test_clients_are_found_by_their_names_and_others_are_told(monkeypatch):
    assert find_client("Claude Desktop") is CLIENTS["claude-desktop"]
    assert find_client("gemini_cli") is CLIENTS["gemini-cli"]
    with pytest.raises(SettingsError, match=r"emacs.*known are: claude-desktop, claude-code, cursor, vscode"):
        find_client("emacs")


def test_a_file_of_a_project_is_found_but_only_taken_when_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    project = tmp_path / "shop"
    project.mkdir()
    (project / ".mcp.json").write_text("{}")
    monkeypatch.chdir(project)
    assert [place.shared for place in places_of(CLIENTS["claude-code"])] == [False, True]
    with pytest.raises(SettingsError, match=r"has no file .*There is .*\.mcp\.json: name it with --file"):
        place_of(CLIENTS["claude-code"])
    assert place_of(CLIENTS["claude-code"], Path(".mcp.json")).shared
    assert not place_of(CLIENTS["cursor"], Path(".mcp.json")).shared


def test_coatcheck_is_started_by_a_whole_path_or_in_a_project_by_its_name(monkeypatch, tmp_path):
    script = Path(sys.executable).with_name("coatcheck")
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert find_launcher() == (str(script),)
    assert find_launcher(shared=True) == ("coatcheck",)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "uv" / "archive-v0" / "x" / "bin" / "coatcheck")])
    Path(sys.argv[0]).parent.mkdir(parents=True)
    Path(sys.argv[0]).touch()
    assert find_launcher()[1:] == ("coatcheck",)
    assert "archive" not in find_launcher()[0]
