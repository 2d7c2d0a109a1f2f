import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_servers import packages

COMMITS = 400
LOG_LINES = 3_000
ROWS = 20_000


@pytest.fixture(scope="session")
def everything() -> list[str]:
    """The command of the official server that has every feature; TypeScript, 2025 only."""
    return packages.npm_server("server-everything")


@pytest.fixture(scope="session")
def everything_of_the_sdk() -> list[str]:
    """The command of the Python SDK's server with every feature, in both eras, over stdio."""
    return packages.everything_of_the_sdk_over_stdio()


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A git repository with some history."""
    path = tmp_path_factory.mktemp("history")
    stream = "".join(
        f"commit refs/heads/main\nmark :{number}\n"
        f"committer Ann Example <ann@example.org> {1_700_000_000 + number * 60} +0000\n"
        f"data <<END\nChange number {number}: tidy the shelves\nEND\n"
        + (f"from :{number - 1}\n" if number > 1 else "")
        + f"M 100644 inline shelf.txt\ndata <<END\nshelf {number}\nEND\n"
        for number in range(1, COMMITS + 1)
    )
    git = ["git", "-C", str(path)]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True, env=environment)
    subprocess.run([*git, "fast-import", "--quiet"], input=stream.encode(), check=True, env=environment)
    subprocess.run([*git, "reset", "-q", "--hard", "main"], check=True, env=environment)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a short file and a log that is too long for a model; its name is the real one, not a link's."""
    path = tmp_path.resolve() / "files"
    path.mkdir()
    (path / "note.txt").write_text("Remember the milk und die Äpfel.\n")
    lines = (
        f"2026-03-04T05:06:07Z worker {number % 7} handled «job {number}»\t{'x' * 20}" for number in range(LOG_LINES)
    )
    (path / "app.log").write_bytes(
        ("\r\n".join(lines) + "\n\ufeffdone \U0001f9e5\u2028 \\n @obj_001 no newline").encode()
    )
    return path


@pytest.fixture
def database(tmp_path) -> Path:
    """A SQLite database with many rows."""
    path = tmp_path / "shelves.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table shelf (id integer primary key, label text)")
        connection.executemany("insert into shelf values (?, ?)", ((n, f"label of shelf {n}") for n in range(ROWS)))
    connection.close()
    return path


@pytest.fixture(scope="session")
def git_server() -> str:
    return str(Path(sys.executable).with_name("mcp-server-git"))
