"""Hidden parameters for the duration of a call: context managers are entered for it and exited after it."""

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer

from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.tool_factory import MemoryType, ToolConfig, build_tool, inject, per_call, register_tools

pytestmark = pytest.mark.anyio


class Session:
    """A session that is open while entered."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __enter__(self) -> Self:
        self.events.append("entered")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.events.append(f"left with {kind.__name__}" if kind else "left")


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture(params=["sync", "async"])
def provider(request: pytest.FixtureRequest, session: Session) -> Any:
    @contextmanager
    def plain() -> Iterator[Session]:
        with session:
            yield session

    @asynccontextmanager
    async def asynchronous() -> AsyncIterator[Session]:
        with session:
            yield session

    return plain if request.param == "sync" else asynchronous


def server_with(function: Any) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("third-party")
    server.tool()(function)
    return server


async def test_a_context_manager_is_entered_for_the_call_and_exited_after_it(session, provider):
    @inject(session=provider)
    async def count(table: str, *, session: Session) -> str:
        """Count rows.

        Args:
            table: The table.
            session: The session.
        """
        return f"{table}: {session.events}"

    assert list(inspect.signature(count).parameters) == ["table"]
    assert "The session" not in (count.__doc__ or "")
    async with Client(server_with(count)) as client:
        tool = (await client.list_tools()).tools[0]
        assert list(tool.input_schema["properties"]) == ["table"]
        answer = await client.call_tool("count", {"table": "t", "session": "mine"})
        assert answer.content[0].text == "t: ['entered']"
    assert session.events == ["entered", "left"]


async def test_a_context_manager_is_exited_when_the_call_fails(session, provider):
    @inject(session=provider)
    async def fail(*, session: Session) -> str:
        raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert session.events == ["entered", "left with KeyError"]


async def test_a_context_manager_is_exited_when_the_call_is_cancelled(session, provider):
    @inject(session=provider)
    async def wait(*, session: Session) -> str:
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await wait()
    assert session.events == ["entered", "left with CancelledError"]


def test_a_sync_function_accepts_a_sync_context_manager(session):
    @contextmanager
    def sessions() -> Iterator[Session]:
        with session:
            yield session

    @inject(session=sessions)
    def rows(*, session: Session) -> Iterator[str]:
        yield from session.events

    assert list(rows()) == ["entered"]
    assert session.events == ["entered", "left"]


def test_a_sync_function_refuses_an_async_context_manager():
    @asynccontextmanager
    async def sessions() -> AsyncIterator[int]:
        yield 1

    @inject(session=sessions)
    def use(*, session: int) -> int:
        return session

    with pytest.raises(TypeError, match=r"'session' of use\(\).*cannot be entered here: use\(\) is not async"):
        use()


async def test_a_shared_context_manager_is_not_entered_unless_marked_as_per_call(session):
    @inject(shared=lambda: session)
    async def look(*, shared: Session) -> list[str]:
        return list(shared.events)

    assert await look() == []
    assert session.events == []

    @inject(own=per_call(lambda: session))
    async def use(*, own: Session) -> list[str]:
        return list(own.events)

    assert await use() == ["entered"]
    assert session.events == ["entered", "left"]


async def test_registered_tools_support_per_call_dependencies(session, provider):
    async def count(table: str, *, session: Session) -> str:
        return f"{table}: {session.events}"

    container = Container(settings=Settings())
    server: MCPServer[Any] = MCPServer("third-party")
    config = ToolConfig(memory_type=MemoryType.BOTH, parameters={"session": provider})
    register_tools(server, {"count": (count, config)}, object_store=container.store)
    async with Client(server) as client:
        answer = await client.call_tool("count", {"table": "t", "session": "mine"})
    assert "t: ['entered']" in answer.content[0].text
    assert session.events == ["entered", "left"]


def test_a_value_in_place_of_a_provider_is_refused_immediately():
    with pytest.raises(TypeError, match=r"inject\(\): 'session' needs a provider.*session=lambda: …"):
        inject(session=5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"parameters\['store'\] is a value \(ObjectStore\).*container.store"):
        ToolConfig(parameters={"store": Container(settings=Settings()).store()})  # type: ignore[dict-item]
    with pytest.raises(SettingsError, match="no memory type 'exploreable'; there are: no_memory, explorable"):
        ToolConfig(memory_type="exploreable")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="custom_args must be a mapping of names to values, not list"):
        ToolConfig(custom_args=["limit"])  # type: ignore[arg-type]


@pytest.mark.parametrize("spelling", ["store", "store.provider"])
def test_a_provider_of_a_container_is_accepted_with_or_without_provider(spelling):
    container = Container(settings=Settings())

    def count(*, store: ObjectStore) -> int:
        return len(store.list())

    given = container.store if spelling == "store" else container.store.provider
    tool = build_tool(count, ToolConfig(parameters={"store": given}))
    container.store().put(1)
    assert tool() == 1
    assert inject(store=given)(count)() == 1
