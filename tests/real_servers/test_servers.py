"""Six real servers behind the command line, with a real client: small results are unchanged, large ones can be queried."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.git_history import GIT_SERVER
from tests.preloaded_python import PYTHON
from tests.real_servers import packages
from tests.real_servers.sessions import Session, connected, normal
from tests.results import reference_in, text_of

pytestmark = [pytest.mark.npm, pytest.mark.anyio]
OWN = "object_store_"
TIME_SERVER = [PYTHON, "-m", "mcp_server_time"]
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A server, a call with a short result, one with a long result, and a question about the long one."""

    command: list[str]
    small: Call
    large: Call
    question: Call
    answer: str
    direct_size: int
    prepare: Call | None = None
    env: dict[str, str] = field(default_factory=dict)
    limit: int = 4_000


def git(paths: Any) -> Case:
    where = {"repo_path": str(paths("repository"))}
    return Case(
        [*GIT_SERVER, "--repository", where["repo_path"]],
        small=("git_log", {**where, "max_count": 1}),
        large=("git_log", {**where, "max_count": 400}),
        question=("object_store_grep", {"pattern": "number 123:"}),
        answer="Change number 123: tidy",
        direct_size=40_000,
    )


def filesystem(paths: Any) -> Case:
    folder: Path = paths("folder")
    return Case(
        [*packages.npm_server("server-filesystem"), str(folder)],
        small=("read_text_file", {"path": str(folder / "note.txt")}),
        large=("read_text_file", {"path": str(folder / "app.log")}),
        question=("object_store_grep", {"pattern": "job 2017»"}),
        answer="worker 1 handled «job 2017»",
        direct_size=150_000,
    )


def everything(paths: Any) -> Case:
    return Case(
        paths("everything"),
        small=("get-structured-content", {"location": "Chicago"}),
        large=("get-env", {}),
        question=("object_store_query", {"filter": '.COAT_LINING | split(" ") | length'}),
        answer="2001",
        direct_size=9_000,
        env={"COAT_LINING": "silk " * 2_000},
    )


def memory(paths: Any) -> Case:
    entities = [
        {"name": f"shelf {n}", "entityType": "furniture", "observations": [f"holds {n} coats", "is made of oak"]}
        for n in range(150)
    ]
    return Case(
        packages.npm_server("server-memory"),
        prepare=("create_entities", {"entities": entities}),
        small=("open_nodes", {"names": ["shelf 77"]}),
        large=("read_graph", {}),
        question=("object_store_get", {"path": "entities[77].observations[0]"}),
        answer="holds 77 coats",
        direct_size=10_000,
        env={"MEMORY_FILE_PATH": str(paths("tmp_path") / "memory.jsonl")},
    )


def sqlite(paths: Any) -> Case:
    return Case(
        [packages.sqlite_server(), "--db-path", str(paths("database"))],
        small=("read_query", {"query": "select * from shelf where id = 5"}),
        large=("read_query", {"query": "select * from shelf"}),
        question=("object_store_grep", {"pattern": "of shelf 19999"}),
        answer="label of shelf 19999",
        direct_size=900_000,
    )


def time(paths: Any) -> Case:
    vienna = {"source_timezone": "Europe/Vienna", "target_timezone": "Asia/Tokyo", "time": "09:30"}
    return Case(
        [*TIME_SERVER, "--local-timezone", "UTC"],
        small=("get_current_time", {"timezone": "UTC"}),
        large=("convert_time", vienna),
        question=("object_store_get", {"path": ".target.timezone"}),
        answer="Asia/Tokyo",
        direct_size=200,
        # It has no long results; this one is kept however short it is, and shown whole with its reference.
        env={"COATCHECK_ALWAYS_KEEP": "convert_time"},
        limit=400,
    )


LEGACY_AND_STATELESS = (git, time)
LEGACY_ONLY = (filesystem, everything, memory, sqlite)


@pytest.mark.parametrize(
    ("server", "mode"),
    [
        *((server, "auto") for server in (*LEGACY_AND_STATELESS, *LEGACY_ONLY)),
        *((server, "legacy") for server in LEGACY_AND_STATELESS),
        *(pytest.param(server, "legacy", marks=pytest.mark.long) for server in LEGACY_ONLY),
    ],
)
async def test_a_real_server_is_unchanged_but_for_its_long_results(server: Callable[[Any], Case], mode, request):
    case = server(request.getfixturevalue)
    options: dict[str, Any] = {"mode": mode, "env": case.env}
    async with connected(case.command, wrapped=False, **options) as direct:
        if case.prepare:
            await direct.client.call_tool(*case.prepare)
        names = await names_of_tools(direct)
        small = await raw_call(direct, case.small)
        whole = await direct.client.call_tool(*case.large)
        version = direct.client.protocol_version
    assert len(text_of(whole)) >= case.direct_size
    async with connected(case.command, **options) as wrapped:
        assert wrapped.client.protocol_version == version
        found = await names_of_tools(wrapped)
        assert [name for name in found if not name.startswith(OWN)] == names
        assert found != names
        assert await raw_call(wrapped, case.small) == small
        seen = await wrapped.client.call_tool(*case.large)
        assert not seen.is_error
        assert len(text_of(seen)) <= case.limit
        assert len(seen.model_dump_json(by_alias=True, exclude_none=True)) <= 2 * case.limit + 600
        tool, arguments = case.question
        answer = await wrapped.client.call_tool(tool, {"object_id": reference_in(text_of(seen)), **arguments})
        assert case.answer in text_of(answer)
        assert not answer.is_error


async def names_of_tools(session: Session) -> list[str]:
    return [tool.name for tool in (await session.client.list_tools()).tools]


async def raw_call(session: Session, call: Call) -> Any:
    tool, arguments = call
    with anyio.fail_after(30):
        return normal(await session.ask("tools/call", {"name": tool, "arguments": arguments}))
