"""A git repository with some history, and the real server that reads it."""

import os
import subprocess
from pathlib import Path

from tests.preloaded_python import PYTHON

GIT_SERVER = [PYTHON, "-m", "mcp_server_git"]


def make_history(folder: Path, commits: int) -> Path:
    """Create a repository with this number of commits to the file ``shelf.txt``; return its folder."""
    parts = []
    for number in range(1, commits + 1):
        message, content = f"Change number {number}: tidy the shelves", f"shelf {number}\n" * 3
        parts.append(
            f"commit refs/heads/main\nmark :{number}\n"
            f"author Ann Example <ann@example.org> {1_700_000_000 + number * 60} +0000\n"
            f"committer Ann Example <ann@example.org> {1_700_000_000 + number * 60} +0000\n"
            f"data {len(message)}\n{message}\n"
            + (f"from :{number - 1}\n" if number > 1 else "")
            + f"M 100644 inline shelf.txt\ndata {len(content)}\n{content}\n"
        )
    git = ["git", "-C", str(folder)]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True, env=environment)
    subprocess.run([*git, "fast-import", "--quiet"], input="".join(parts).encode(), check=True, env=environment)
    subprocess.run([*git, "reset", "-q", "--hard", "main"], check=True, env=environment)
    return folder
