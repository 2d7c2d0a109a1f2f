"""``coatcheck objects`` and ``coatcheck stats`` on the store that servers use, run as commands."""

import json
import os
import subprocess
import sys
from typing import NamedTuple
from uuid import uuid4

import pytest
from anyio.to_thread import run_sync as to_thread
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.backends import InMemoryBackend
from coatcheck.cli import main
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.store.savings import MOST_NAMES, Savings
from coatcheck.store.tenancy import Caller, CallerKind
from tests.monitoring.connecting import client_of
from tests.monitoring.running import served
from tests.preloaded_python import PYTHON

pytestmark = pytest.mark.anyio

ROWS = {"items": [{"id": number, "name": f"näme {number}"} for number in range(3000)]}
TEXT = "first line\nsecond line, with an ünusual one\n"


class CommandResult(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(params=["sqlite", "redis"])
def place(request, tmp_path) -> dict[str, str]:
    """The environment variables that select a store."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        return {
            "COATCHECK_OBJECT_STORE_BACKEND": "redis",
            "COATCHECK_REDIS_URL": url,
            "COATCHECK_REDIS_TIMEOUT": "15",
            "COATCHECK_REDIS_PREFIX": f"{uuid4()}:",
        }
    return sqlite_in(tmp_path)


def sqlite_in(folder) -> dict[str, str]:
    return {"COATCHECK_OBJECT_STORE_BACKEND": "sqlite", "COATCHECK_SQLITE_PATH": str(folder / "objects.sqlite")}


OPENED: list[Container] = []


@pytest.fixture(autouse=True)
def close_opened():
    yield
    while OPENED:
        OPENED.pop().backend().close()


def container_at(place: dict[str, str]) -> Container:
    given = {name.removeprefix("COATCHECK_").lower(): value for name, value in place.items()}
    OPENED.append(Container(settings=Settings(**given)))
    return OPENED[-1]


def place_of(place: dict[str, str]) -> str:
    return place.get("COATCHECK_SQLITE_PATH") or place["COATCHECK_REDIS_URL"]


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Run the command line in this process, because starting a process for each command is slow."""

    def run(place: dict[str, str], *arguments: str) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["coatcheck", *arguments])
        with monkeypatch.context() as patched:
            for name, value in place.items():
                patched.setenv(name, value)
            code = main()
        out, err = capfdbinary.readouterr()
        return CommandResult(code, out.decode(), err.decode())

    return run


def test_objects_can_be_listed_read_searched_and_removed(place, run):
    store = container_at(place).store()
    rows, text = store.put(ROWS, tool="list_rows"), store.put(TEXT, tool="read\x1b[31m")
    listed = json.loads(run(place, "objects", "ls", "--json").stdout)
    assert [(each["id"], each["type"], each["bytes"]) for each in listed] == [
        (text, "string", len(TEXT.encode())),
        (rows, "object", listed[1]["bytes"]),
    ]
    table = run(place, "objects", "ls")
    assert [line.split()[0] for line in table.stdout.splitlines()] == [f"@{text}", f"@{rows}"]
    assert "list_rows" in table.stdout
    assert "ago" in table.stdout
    assert "\x1b" not in table.stdout
    assert table.stderr == ""

    assert json.loads(run(place, "objects", "get", rows).stdout) == ROWS  # beyond every limit of a model's answers
    assert run(place, "objects", "get", f"@{text}").stdout == TEXT
    assert json.loads(run(place, "objects", "get", "--json", text).stdout) == TEXT
    assert run(place, "objects", "get", f"@{rows}.items[3].name").stdout == "näme 3"
    assert f"@{rows}: object" in run(place, "objects", "show", rows).stdout

    found = run(place, "objects", "grep", "näme 29..$", rows)
    assert found.returncode == 0
    assert found.stdout.count("\n") == 101
    assert run(place, "objects", "grep", "--limit", "5", "näme 29..$", rows).stdout.count("näme 29") == 5
    assert run(place, "objects", "grep", "NÄME", rows).returncode == 1
    assert run(place, "objects", "grep", "-i", "NÄME 2999", f"{rows}.items[2990:]").returncode == 0

    queried = run(place, "objects", "query", ".items[], 1", rows)
    assert len(json.loads(queried.stdout)) == 3001
    assert "outputs, given as a list" in queried.stderr

    removed = run(place, "objects", "rm", "obj_nothing", f"@{rows}", text)
    assert removed.returncode == 1
    assert removed.stdout == ""
    assert "@obj_nothing not found" in removed.stderr
    empty = run(place, "objects", "ls")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "no objects are stored in your namespace, in " in empty.stderr
    assert place_of(place) in empty.stderr
    assert "--all-namespaces" in empty.stderr
    assert ("the cache folder depends on" in empty.stderr) is (place["COATCHECK_OBJECT_STORE_BACKEND"] == "sqlite")


async def test_the_commands_use_the_store_of_a_server(tmp_path, run):
    place = sqlite_in(tmp_path)
    server = StdioServerParameters(command=PYTHON, args=["-m", "coatcheck", "serve"], env=place)
    async with Client(stdio_client(server)) as client:
        await client.call_tool("object_store_put", {"value": {"kept": "by the server"}})
        (found,) = json.loads((await to_thread(run, place, "objects", "ls", "--json")).stdout)
        assert json.loads((await to_thread(run, place, "objects", "get", found["id"])).stdout) == {
            "kept": "by the server"
        }


def test_users_see_their_own_objects_and_operators_those_of_all_users(place, run):
    container = container_at(place)
    store: ObjectStore = container.store()
    mine = store.put("mine")
    with container.tenancy().enter(Caller(CallerKind.PRINCIPAL, "alice")):
        hers, namespace = store.put("hers"), store.namespace()
    assert [each["id"] for each in json.loads(run(place, "objects", "ls", "--json").stdout)] == [mine]
    everybodys = json.loads(run(place, "objects", "ls", "--all-namespaces", "--json").stdout)
    # In any order: they may have the same millisecond.
    assert sorted((each["id"], each["namespace"]) for each in everybodys) == sorted([(hers, namespace), (mine, "")])
    assert namespace in run(place, "objects", "ls", "--all-namespaces").stdout
    assert run(place, "objects", "get", hers).returncode == 1
    assert run(place, "objects", "get", hers, "--namespace", namespace).stdout == "hers"
    assert run(place, "objects", "ls", "--namespace", namespace).stdout.startswith(f"@{hers}")
    assert run(place, "objects", "rm", hers, "--namespace", namespace).returncode == 0
    figures = json.loads(run(place, "stats", "--json").stdout)["store"]
    assert (figures["objects"], figures["namespaces"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get", "obj_nothing"], 1, "/objects.sqlite: `coatcheck objects ls` lists"),
        (["show", "@obj_nothing.items[3]"], 1, "@obj_nothing not found"),
        (["get", "no id at all"], 2, ""),
        (["grep", "{rows}", "a.*"], 2, "The id comes last: coatcheck objects grep PATTERN ID."),
        (["query", "{rows}", ".[0]"], 2, "The id comes last: coatcheck objects query FILTER ID."),
        (["grep", "obj_1", "{rows}"], 1, "0 values"),
        (["grep", "((", "{rows}"], 2, "is not a regular expression"),
        (["query", ".items[", "{rows}"], 2, "is not a jq filter"),
        (["query", "[range(1e9)]", "{rows}"], 1, "Stopped after"),
        (["get", "{rows}.nowhere"], 1, "nowhere"),
        (["rm", "{rows}.items"], 2, "is a part"),
        (["ls", "--all-namespaces", "--namespace", "x"], 2, "exclude each other"),
        (["get"], 2, "Missing argument"),
    ],
)
def test_each_fault_has_its_message_and_exit_code(arguments, code, words, tmp_path, run):
    place = sqlite_in(tmp_path)
    rows = container_at(place).store().put(ROWS)
    done = run(place, "objects", *(argument.replace("{rows}", rows) for argument in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["get", "show"])
@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (b"anything", "were not stored by coatcheck"),
        (b'{"kind":"text","size":3,"type":"string","version":4}\nabc', "stored in format 4"),
        (b'{"kind":"text","size":3,"type":"string","version":2,"zstd":3}\nabc', "not what its metadata says"),
    ],
)
def test_an_unreadable_object_is_reported_in_one_line(command, stored, words, tmp_path, run):
    place = sqlite_in(tmp_path)
    container_at(place).backend().set("obj_1", stored, None)
    done = run(place, "objects", command, "obj_1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert words in done.stderr


@pytest.mark.parametrize(("to", "words"), [("1>&-", "stdout is closed"), ("1>/dev/full", "No space left")])
def test_an_output_that_cannot_be_written_is_reported_in_one_line(to, words, tmp_path):
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {to}', "sh", sys.executable, "-m", "coatcheck", "stats"],
        env={**os.environ, **sqlite_in(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert words in done.stderr


def test_an_error_of_the_store_is_reported_once(own_redis):
    wrong = own_redis.url.replace("redis://", "redis://nobody:wrong@")
    store = {"COATCHECK_OBJECT_STORE_BACKEND": "redis", "COATCHECK_REDIS_URL": wrong}
    command = [PYTHON, "-m", "coatcheck", "objects", "ls"]  # a separate process: pytest installs log handlers
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **store})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("coatcheck: ")
    assert done.stderr.count("did not accept the credentials") == 1


def test_a_warning_is_a_message_of_the_command(tmp_path, run):
    tmp_path.chmod(0o777)
    done = run(sqlite_in(tmp_path), "objects", "put", __file__)
    assert "coatcheck: Other users can replace files in the folder" in done.stderr


@pytest.mark.parametrize("command", [["objects", "ls"], ["objects", "get", "obj_1"], ["stats"]])
def test_objects_in_memory_are_unreachable_and_the_error_suggests_another_backend(command, run):
    done = run({}, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "sqlite or redis" in done.stderr


async def test_stats_show_stored_objects_and_the_counts_of_a_server(place, tmp_path, run):
    with served("serve", tmp_path, "--toolset", "slow_server:toolset", **place) as server:
        async with client_of(server) as client:
            await client.call_tool("many", {"rows": 2000})
            await client.call_tool("object_store_get", {"object_id": "obj_nothing"})
        figures = json.loads((await to_thread(run, place, "stats", "--json", "--url", server.base)).stdout)
        words = (await to_thread(run, place, "stats", "--url", f"{server.base}/mcp")).stdout
        alone = await to_thread(run, {}, "stats", "--url", server.base)
    assert figures["store"]["objects"] == 1
    assert figures["store"]["tools"]["many"]["bytes"] > 20_000
    saved = figures["server"]["saved_characters"]
    assert figures["server"]["tools"] == {
        "many": {"kept": 1, "not_kept": 0, "saved_characters": saved, "saved_tokens": saved / 4}
    }
    assert figures["server"]["breaker_open"] == (False if "REDIS" in str(place) else None)
    assert figures["server"]["misses"] >= 1
    assert ") holds 1 object," in words
    assert f"Kept out of the context: {saved:,.0f} characters, ~{saved / 4:,.0f} tokens (4 characters each)" in words
    assert "1 kept, 0 not kept" in words
    assert "Reads: " in words
    assert "Held: " not in words or "Held: 1 object, " in words
    assert alone.returncode == 0
    assert "The store" not in alone.stdout


@pytest.mark.parametrize("flags", [[], ["--stateless"]])
async def test_stats_name_the_server_for_a_client_without_a_session(place, tmp_path, run, flags):
    with served("wrap", tmp_path, *flags, **place) as server:
        async with client_of(server) as client:
            assert client.protocol_version == "2026-07-28"
            await client.call_tool("many", {"rows": 2000})
        server.process.terminate()
        await to_thread(server.process.wait)
    figures = json.loads((await to_thread(run, place, "stats", "--json")).stdout)
    assert [(each["server"], each["tool"]) for each in figures["saved"]["tools"]] == [("slow", "many")]


async def test_stats_add_up_all_processes_and_days_and_persist(place, run):
    hostile = "\x1b[31mred"
    for shown in (1_000, 3_000):  # two processes, each ended
        container = container_at(place)
        container.store().record_result("git_log", reference="@obj_1", characters=400_000, shown=shown, server="git")
        container.store().record_result(hostile, reference=None, characters=9_000, shown=5_000, server=hostile)
        await container.exit_stack().aclose()
    backend = container_at(place).backend()
    backend.set("stats:2026-01-02:ended", b'[["coatcheck", "files__read", 3, 50000, 20000], ["odd"], 7]', 60)
    backend.set("stats:2026-01-02:broken", b"no figures", 60)
    figures = json.loads((await to_thread(run, place, "stats", "--json")).stdout)
    today = max(figures["saved"]["days"])
    assert figures["saved"] == {
        "days": {
            "2026-01-02": {"results": 3, "characters": 50_000, "shown": 20_000},
            today: {"results": 4, "characters": 818_000, "shown": 14_000},
        },
        "tools": [
            {"server": "git", "tool": "git_log", "results": 2, "characters": 800_000, "shown": 4_000},
            {"server": "files", "tool": "read", "results": 3, "characters": 50_000, "shown": 20_000},
            {"server": hostile, "tool": hostile, "results": 2, "characters": 18_000, "shown": 10_000},
        ],
    }
    assert figures["store"]["objects"] == 0  # figures are not objects
    assert container_at(place).store().list() == []
    table = (await to_thread(run, place, "stats")).stdout
    assert "Kept out of contexts: 834,000 characters, ~208,500 tokens" in table
    assert f"The store ({place_of(place)}) holds 0 objects" in table
    git, files = (
        next(line for line in table.splitlines() if line.startswith(f"  {name} ")) for name in ("git", "files")
    )
    assert "800,000 → 4,000" in git
    assert git.count("█") == 20 > files.count("█") == 1
    assert "\x1b" not in table


def test_invented_tool_names_do_not_fill_memory_and_an_unavailable_store_loses_no_counts():
    lines: dict[str, bytes] = {}

    class UnavailableBackend(InMemoryBackend):
        up = False

        def set(self, key, value, ttl_seconds):
            if not self.up:
                raise ObjectStoreUnavailable("It is away.")
            lines[key] = value

    backend, closing = UnavailableBackend(), []
    savings = Savings(lambda: backend, closing.append)
    for number in range(2 * MOST_NAMES):
        savings.note("server", f"tool {number}", 10, 1)
    savings.note("server", "x" * 1000, 10, 1)
    savings.write()
    assert lines == {}
    backend.up = True
    savings.note("server", None, 10, 1)
    (close,) = closing
    close()
    (rows,) = map(json.loads, lines.values())
    assert len(rows) == MOST_NAMES + 1
    assert sum(row[2] for row in rows) == 2 * MOST_NAMES + 2


def test_stats_show_a_server_s_counts_while_the_store_is_unavailable(run, monkeypatch):
    place = {"COATCHECK_OBJECT_STORE_BACKEND": "redis", "COATCHECK_REDIS_URL": "redis://:canary@127.0.0.1:1"}
    counted = {"saved_characters": 5, "saved_tokens": 1, "tools": {}, "operations": {}, "hits": 0, "misses": 0}
    more = {"objects": None, "breaker_open": True, "sandbox_stopped": 0}
    monkeypatch.setattr("coatcheck.cli.stats._counted", lambda _url: counted | more)
    done = run(place, "stats", "--url", "http://127.0.0.1:9")
    assert (done.returncode, "Kept out of the context: 5 characters" in done.stdout) == (0, True)
    assert "127.0.0.1:1" in done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://user:canary@127.0.0.1:1", "cannot be reached"),
        ("file:///etc/passwd", "--url takes"),
        ("127.0.0.1:8000", "--url takes"),
        ("http://user:canary@[::1", "--url takes"),
        ("http://127.0.0.1:canary", "--url takes"),
        ("http://:80", "--url takes"),
        (f"http://{'a' * 70}.example", "cannot be reached"),
    ],
)
def test_an_unreachable_server_is_reported_without_its_password(url, words, run):
    done = run({}, "stats", "--url", url)
    assert (done.returncode, done.stdout) == (1 if words == "cannot be reached" else 2, "")
    assert words in done.stderr
    assert "canary" not in done.stderr
