"""Values that exhaust resources: a response within three seconds, bounded memory, no silent loss."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.large_work import client_of
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from coatcheck.containers import Container
from coatcheck.errors import CoatcheckError
from coatcheck.object_store import StoredObject
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.results import text_of
from tests.security.hostile_server import HOSTILE, nested
from tests.security.serving import object_id_in
from tests.waiting import within

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_workers")]

MEBIBYTE = 1024 * 1024
SECONDS = 3.0
FACTOR = 1.5
SIZE, MOST_KEPT = 1_000_000, 16 * MEBIBYTE
"""Bytes of a value, fifty of which are stored, and the server's limit for all objects."""
WHILE_READ = 16 * MEBIBYTE
"""Memory of a request while it is read."""
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def container():
    made = Container(settings=Settings())
    yield made
    made.sandbox().close()


def resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def process_family(pid: int) -> list[int]:
    """A process and its child processes."""
    tasks = Path(f"/proc/{pid}/task")
    return [pid, *(int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split())]


LOOKS: dict[str, dict[str, Any]] = {
    "object_store_get": {"path": "i[0][0]"},
    "object_store_slice": {"start": 0, "end": 3},
    "object_store_grep": {"pattern": "key 77$"},
    "object_store_query": {"filter": "length"},
}


def drop_nested(value: Any) -> None:
    """Free a deeply nested list iteratively, because the interpreter would do it recursively."""
    while isinstance(value, list) and value:
        value = value.pop()


AS_VALUES: dict[str, Callable[[], Any]] = {
    "nested 100,000 levels": HOSTILE["nested 100,000 levels"],
    "text nested 100,000 levels": lambda: "[" * 100_000 + "]" * 100_000,
    "200,000 keys": lambda: {f"key {n}": n for n in range(200_000)},
    "a list with a text of 20 MB": lambda: ["x" * 20_000_000],
    "one key of 10 MB": HOSTILE["one key of 10 MB"],
}
"""Python values; texts and the largest values are results of a wrapped server below."""


@pytest.mark.parametrize("name", AS_VALUES)
async def test_a_hostile_value_is_stored_and_read_in_time(container, name):
    value, explorer = AS_VALUES[name](), container.explorer()
    await explorer.aquery(await explorer.store.aput(1), ".")  # starts a worker
    looks = {
        "keep": lambda: explorer.akeep(value),
        "preview": lambda: explorer.apreview(kept),
        "explore": lambda: explorer.aexplore(kept),
        "slice": lambda: explorer.aslice(kept, 0, 3),
        "grep": lambda: explorer.asearch(kept, "key 77$"),
        "query": lambda: explorer.aquery(kept, "length"),
        "path": lambda: explorer.aexplore(kept, "i[0][0]"),
    }
    kept = ""
    for look, work in looks.items():
        with within(SECONDS):
            try:
                answer: Any = await work()
            except CoatcheckError as error:
                answer = str(error)
        if look == "keep":
            assert answer.reference
            kept, answer = answer.reference, answer.preview
        assert len(answer) <= 20_000, look
        assert "Traceback" not in answer, look
    drop_nested(value)


HOSTILE_SERVER = [
    sys.executable,
    "-m",
    "coatcheck",
    "wrap",
    "--always-keep",
    "give",
    "--",
    sys.executable,
    str(HERE / "hostile_server.py"),
]


@pytest.mark.alone
async def test_a_hostile_result_of_a_wrapped_server_is_stored_and_read_in_time():
    async with client_of(HOSTILE_SERVER) as client:
        small = object_id_in(await client.call("object_store_put", value=1))
        await client.call("object_store_query", object_id=small, filter=".")  # starts a worker

        async def asked(tool: str, **arguments: Any) -> tuple[str, bool]:
            with within(SECONDS):
                answer = await client.request("tools/call", {"name": tool, "arguments": arguments})
            text = "\n".join(block["text"] for block in answer["result"]["content"])
            assert len(text) <= 20_000
            assert "Traceback" not in text
            return text, answer["result"].get("isError", False)

        for name in HOSTILE:
            text, is_error = await asked("give", what=name)
            assert not is_error, name
            kept = object_id_in(text)
            for tool, arguments in LOOKS.items():
                await asked(tool, object_id=kept, **arguments)
            for pid in process_family(client.process.pid)[1:]:
                assert resident(pid) < Settings().sandbox_memory, name
        refused, is_error = await asked("object_store_query", object_id=kept, filter='"x" * 1000000000')
        assert is_error or "null" in refused
        assert await client.call("object_store_get", object_id=small) == "1"


async def test_nesting_beyond_the_limit_is_described_where_it_is_cut(container):
    value = nested(100_000)
    name = await container.store().aput(value)
    drop_nested(value)
    stored: StoredObject = await container.store().aread(name)
    assert b"nested too deeply" in bytes(stored.payload)


async def test_a_result_of_a_gigabyte_is_refused_with_the_limit_and_the_workers_stay_within_their_memory():
    container = Container(settings=Settings(sandbox_memory=256 * MEBIBYTE, sandbox_timeout=60))
    explorer = container.explorer()
    name = await explorer.store.aput(1)
    # Without the limit, the first two would return a result, and the third would take too long.
    for program in ('"x" * 300000000 | length', '"x" * 1000000000 | length', "[range(1e9)] | length"):
        with pytest.raises(CoatcheckError, match="more than the 256 MiB of memory"):
            await explorer.aquery(name, program)
    for pid in container.sandbox().pids():
        assert resident(pid) < 256 * MEBIBYTE
    assert await explorer.aquery(name, ".") == "1"
    container.sandbox().close()


async def test_the_memory_of_a_server_stays_within_one_and_a_half_times_its_objects():
    """Values are stored by a client, in a separate server."""
    env = {"COATCHECK_MAX_NAMESPACE_BYTES": str(MOST_KEPT)}
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "coatcheck", "serve"], env=env)
    before = set(process_family(os.getpid()))
    async with Client(stdio_client(parameters)) as client:
        (server,) = set(process_family(os.getpid())) - before
        await client.call_tool("object_store_put", {"value": "small"})
        empty = resident(server)
        names = [
            object_id_in(text_of(await client.call_tool("object_store_put", {"value": [f"{n}" + "x" * SIZE]})))
            for n in range(50)
        ]
        listed = text_of(await client.call_tool("object_store_list", {}))
        kept = sum(name in listed for name in names)
        assert 10 <= kept <= 17  # the oldest were evicted
        assert names[-1] in listed
        assert (await client.call_tool("object_store_get", {"object_id": names[0]})).is_error
        # Plus the memory of one request while it is read.
        assert resident(server) - empty < FACTOR * MOST_KEPT + WHILE_READ


SCRIPTED = str(HERE.parent / "wrap" / "scripted_server.py")
BEHIND = [sys.executable, SCRIPTED]


@pytest.mark.parametrize("way", ["command", "gateway"])
async def test_the_memory_of_a_wrapping_process_stays_within_one_and_a_half_times_its_objects(
    way, tmp_path, monkeypatch
):
    monkeypatch.setenv("COATCHECK_MAX_NAMESPACE_BYTES", str(MOST_KEPT))
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"one": {"command": BEHIND[0], "args": BEHIND[1:]}}}))
    tool = "one__text" if way == "gateway" else "text"
    behind = ["--servers", str(config)] if way == "gateway" else ["--", *BEHIND]
    async with client_of([sys.executable, "-m", "coatcheck", "wrap", *behind]) as client:
        await client.call("object_store_put", value="small")
        empty = resident(client.process.pid)
        names = [object_id_in(await client.call(tool, size=SIZE)) for _ in range(50)]
        listed = await client.call("coatcheck_object_store_list" if way == "command" else "object_store_list")
        assert 10 <= sum(name in listed for name in names) <= 17  # the oldest were evicted
        assert names[-1] in listed
        assert resident(client.process.pid) - empty < FACTOR * MOST_KEPT + WHILE_READ


async def test_a_call_with_a_deep_or_wide_argument_is_answered(mode):
    parameters = StdioServerParameters(command=PYTHON, args=["-m", "coatcheck", "serve"])
    async with Client(stdio_client(parameters), mode=mode) as client:
        for value in (nested(190), {f"k{n}": n for n in range(100_000)}, [nested(50)] * 1000):
            with within(SECONDS):
                answer = await client.call_tool("object_store_put", {"value": value})
            assert not answer.is_error
        deep = await client.call_tool("object_store_put", {"value": [nested(150), "@obj_nothing1"]})
        assert deep.is_error
        assert len(text_of(deep)) < 1000
        assert not (await client.call_tool("object_store_put", {"value": 1})).is_error


def test_an_object_over_the_limit_is_refused_with_its_size_and_a_suggestion():
    container = Container(settings=Settings(max_object_bytes=10_000))
    explorer = container.explorer()
    kept = explorer.keep({"rows": ["row"] * 5000})
    assert kept.reference is None
    assert "10,000 bytes an object may have" in kept.preview
    assert "row" in kept.preview
    with pytest.raises(CoatcheckError, match="10,000"):
        explorer.store.put("x" * 10_001)
    assert json.loads(explorer.explore(explorer.store.put(["x"]))) == ["x"]
    container.sandbox().close()
