"""Without a home folder, what needs one fails with an error that says what to set."""

import os
import pwd
from pathlib import Path

import pytest

from coatcheck import SettingsError, SQLiteBackend
from coatcheck.user_folders import data_folder
from tests.command_line import run_here


@pytest.fixture
def homeless(monkeypatch):
    """Return the variables of a process whose user the system does not know."""

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.delenv("HOME", raising=False)
    return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["install", "cursor"],
        ["uninstall", "--all"],
        ["add", "cursor", "git", "--yes", "--", "git-server"],
        ["logout", "https://example.com/mcp"],
        ["stats", "--object-store-backend", "sqlite"],
        ["objects", "ls", "--object-store-backend", "sqlite"],
        ["wrap", "--object-store-backend", "sqlite", "--", "cat"],
        ["serve", "--object-store-backend", "sqlite"],
        ["doctor", "--object-store-backend", "sqlite"],
    ],
)
def test_a_command_that_needs_a_home_folder_says_that_there_is_none(command, homeless, tmp_path):
    done = run_here(*command, environment=homeless, folder=tmp_path)
    assert done.returncode == (1 if command[0] == "doctor" else 2)
    assert "The user of this process has no home folder: set the variable HOME." in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_elsewhere_needs_no_home_folder(homeless, tmp_path):
    named = ["--object-store-backend", "sqlite", "--sqlite-path", "store.sqlite"]
    (tmp_path / "text").write_text("kept")
    assert run_here("objects", "put", *named, "text", environment=homeless, folder=tmp_path).returncode == 0
    cached = {**homeless, "XDG_CACHE_HOME": str(tmp_path), "COATCHECK_OBJECT_STORE_BACKEND": "sqlite"}
    assert run_here("objects", "ls", environment=cached, folder=tmp_path).returncode == 0


def test_a_path_in_the_home_of_an_unknown_user_is_an_error():
    with pytest.raises(SettingsError, match=r"~nobody-here/x: there is no home folder ~nobody-here. Write the whole"):
        SQLiteBackend(Path("~nobody-here/x"))


def test_the_data_folder_follows_the_xdg_rules(homeless, monkeypatch):
    with pytest.raises(SettingsError, match="set the variable HOME"):
        data_folder()
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert data_folder() == Path("/home/ada/.local/share/coatcheck")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert data_folder() == Path("/data/coatcheck")
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_folder() == Path("/home/ada/Library/Application Support/coatcheck")
