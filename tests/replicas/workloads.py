"""The commands of the replicas, and for each a call that creates a large result and one that uses it."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.git_history import GIT_SERVER

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A command of coatcheck and two calls.

    Attributes:
        command: The command, without the options for its address.
        make: Returns a call whose result is kept, and a text that is part of every answer to its use.
        use: Returns a call that takes a reference to the kept result.
    """

    command: list[str]
    make: Callable[[int], tuple[Call, str]]
    use: Callable[[str], Call]


def serve() -> Kind:
    """``coatcheck serve`` with a toolset."""

    def make(number: int) -> tuple[Call, str]:
        size, word = 5_000 + 997 * (number % 40), f"word-{number}"
        return ("text", {"size": size, "word": word}), f"{size} {word}"

    return Kind(
        ["serve", "--toolset", "tests.replicas.toolset:TOOLSET"],
        make,
        lambda reference: ("measure", {"value": reference}),
    )


def wrap(folder: Path) -> Kind:
    """``coatcheck wrap`` of the git server, in front of a repository with large commits."""
    commits = _repository(folder)

    def make(number: int) -> tuple[Call, str]:
        commit = commits[number % len(commits)]
        return ("git_show", {"repo_path": str(folder), "revision": commit}), commit

    def use(reference: str) -> Call:
        # The result begins with "commit " and the name of the commit.
        return "git_show", {"repo_path": str(folder), "revision": f"{reference}[7:47]"}

    return Kind(["wrap", "--", *GIT_SERVER, "--repository", str(folder)], make, use)


def _repository(folder: Path) -> list[str]:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        command = ["git", "-C", str(folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    commits = []
    for number in range(4):
        (folder / "file.txt").write_text("".join(f"line {line} of version {number}\n" for line in range(400)))
        git("add", "file.txt")
        git("commit", "--quiet", "-m", f"version {number}")
        commits.append(git("rev-parse", "HEAD"))
    return commits
