"""A git repository with years of generated history, the same every time, written by ``git fast-import`` in a second."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

AUTHORS = [
    "Amara Okafor", "Bruno Castelli", "Chiara Lindqvist", "Dmitri Volkov", "Elif Yilmaz", "Farid Rahimi",
    "Grace Whitcombe", "Hiro Tanaka", "Inês Carvalho", "Jonas Becker", "Kateryna Shevchuk", "Liam O'Connor",
]  # fmt: skip
AREAS = ["billing", "catalog", "checkout", "inventory", "search", "shipping", "accounts", "reports"]
PARTS = ["models", "service", "queries", "events"]
THINGS = ["receipt", "basket", "voucher", "parcel", "refund", "stock level", "price list", "delivery slot", "gift card"]
CAUSES = ["when two requests arrive at once", "for customers without an account", "after a time zone change",
          "with more than 1 000 items", "when the warehouse does not answer", "in the nightly run"]  # fmt: skip
SUBJECTS = {
    "Fix": ["rounding of the {thing} total", "a race in the {thing} cache", "the wrong {thing} being shown",
            "a deadlock while saving a {thing}", "a missing index on the {thing} table"],
    "Add": ["a filter to the {thing} list", "an export of every {thing}", "a test for the empty {thing}",
            "a retry around the {thing} lookup", "metrics for each {thing}"],
    "Refactor": ["the {thing} loader into smaller functions", "how a {thing} is validated"],
    "Remove": ["the old {thing} endpoint", "unused fields of the {thing}"],
    "Speed up": ["the {thing} search", "loading a page of every {thing}"],
    "Revert": ['"Speed up the {thing} search"'],
}  # fmt: skip
STAGED = "VERSION"
START = 1_672_650_000  # seconds since the epoch: a Monday morning in January 2023
STEP = 45_000  # seconds between two commits, on average


@dataclass
class History:
    """The state of the project as it grows; lines of each file by its path."""

    random: Random
    files: dict[str, list[str]] = field(default_factory=dict)

    def begin(self) -> list[str]:
        """Write the first version of every file; return their paths."""
        for area in AREAS:
            for part in PARTS:
                self.files[f"src/{area}/{part}.py"] = [
                    f'"""{part.capitalize()} of the {area}."""', "",
                    *(line for _ in range(12) for line in self.function(area)),
                ]  # fmt: skip
            self.files[f"docs/{area}.md"] = [f"# {area.capitalize()}", "", *(self.sentence() for _ in range(20))]
        return list(self.files)

    def change(self, area: str) -> list[str]:
        """Change one to three files of an area slightly; return their paths."""
        changed = self.random.sample([path for path in self.files if area in path], self.random.choice([1, 1, 2, 3]))
        for path in changed:
            lines = self.files[path]
            at = self.random.randrange(2, len(lines))
            new = [self.sentence()] if path.endswith(".md") else self.function(area)
            lines[at : at + self.random.randrange(6)] = new
            del lines[400:]
        return changed

    def function(self, area: str) -> list[str]:
        """Generate a short Python function."""
        thing = self.random.choice(THINGS).replace(" ", "_")
        limit = self.random.randrange(5, 500)
        return [
            "", f"def {self.random.choice(['load', 'check', 'merge', 'price'])}_{thing}({thing}_id: int) -> Result:",
            f'    """{self.sentence()}"""',
            f"    with {area}.session(timeout={limit}) as session:",
            f"        return session.get({thing}_id, retries={self.random.randrange(1, 6)})", "",
        ]  # fmt: skip

    def sentence(self) -> str:
        """Generate a sentence about the project."""
        what, why = self.random.choice(THINGS), self.random.choice(CAUSES)
        return f"The {what} is {self.random.choice(['kept', 'sent again', 'refused', 'priced again'])} {why}."

    def message(self, area: str, number: int) -> str:
        """Generate a commit message, every third with a body."""
        verb = self.random.choices(list(SUBJECTS), weights=[9, 8, 4, 2, 2, 1])[0]
        subject = self.random.choice(SUBJECTS[verb]).format(thing=self.random.choice(THINGS))
        body = f"\n\n{self.sentence()}\n{self.sentence()}\n\nCloses #{number + 140}" if number % 3 == 0 else ""
        return f"{verb} {subject} ({area}){body}"


def make_repository(folder: Path, commits: int = 2000) -> None:
    """Make a repository with a history of ``commits`` commits and one staged change.

    Raises:
        subprocess.CalledProcessError: Git failed.
        FileNotFoundError: git is missing.
    """
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", given=b"".join(_stream(commits)))
    git(folder, "reset", "--quiet", "--hard", "main")
    (folder / STAGED).write_text("4.0.0\n")
    git(folder, "add", STAGED)


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git in ``folder``, independent of the user's settings; return its output."""
    name = {"NAME": "Demo", "EMAIL": "demo@example.org"}
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in name.items()}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, input=given, check=True, env=environment, capture_output=True)  # noqa: S603
    return done.stdout.decode()


def _stream(commits: int) -> Iterator[bytes]:
    random = Random(2023)  # noqa: S311 - the same history every time
    history, moment = History(random), START
    for number in range(1, commits + 1):
        area = random.choice(AREAS)
        paths = history.begin() if number == 1 else history.change(area)
        message = "Start the project" if number == 1 else history.message(area, number)
        author = random.choices(AUTHORS, weights=range(len(AUTHORS), 0, -1))[0]
        moment += random.randrange(STEP * 2)
        who = f"{author} <{author.split()[0].lower()}@example.org> {moment} +0000"
        yield f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode() + _data(message + "\n")
        for path in paths:
            yield f"M 100644 inline {path}\n".encode() + _data("\n".join(history.files[path]) + "\n")


def _data(text: str) -> bytes:
    data = text.encode()
    return b"data %d\n%b\n" % (len(data), data)
