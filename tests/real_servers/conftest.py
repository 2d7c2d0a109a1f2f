import sqlite3
from pathlib import Path

import pytest

from tests.git_history import make_history
from tests.preloaded_python import PYTHON
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
    """The command of the Python SDK's server with every feature and all protocol revisions, over stdio."""
    return packages.everything_of_the_sdk_over_stdio(PYTHON)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A git repository with some history."""
    return make_history(tmp_path_factory.mktemp("history"), COMMITS)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a short file and a log that is too long for a model; its path is resolved."""
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
