"""`running` may be entered any number of times; the last exit closes what coatcheck opened, and nothing else."""

import asyncio
import logging
import threading
import types
from typing import Any

import anyio
import dependency_injector.wiring
import pytest
from dependency_injector import containers, providers
from mcp import Client
from mcp.server import MCPServer

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.lifecycle import overridden, running
from coatcheck.object_store import Caller, CallerKind, ObjectStore
from coatcheck.server import attach
from coatcheck.settings import Settings
from coatcheck.wiring import graph

pytestmark = pytest.mark.anyio


@pytest.fixture
def container() -> Container:
    return Container(settings=Settings())


def record_closing(container: Container) -> list[str]:
    closed: list[str] = []
    container.exit_stack().callback(closed.append, "closed")
    return closed


async def test_nested_blocks_close_once_at_the_end(container):
    async with running(container):
        closed = record_closing(container)
        store = container.store()
        async with running(container):
            assert container.store() is store
        assert closed == []
        assert container.store() is store
    assert closed == ["closed"]
    assert container.store() is not store


async def test_concurrent_blocks_share_the_container_until_the_last_one_ends(container):
    closed: list[str] = []
    stores = []
    entered, leave = anyio.Event(), anyio.Event()

    async def first() -> None:
        async with running(container):
            closed.extend(record_closing(container))
            stores.append(container.store())
            entered.set()
            await leave.wait()
            stores.append(container.store())

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await entered.wait()
        async with running(container):
            stores.append(container.store())
        leave.set()
    assert len({id(store) for store in stores}) == 1
    assert container.store() is not stores[0]


def test_blocks_in_two_event_loops_share_the_container(container):
    inside, leave = threading.Event(), threading.Event()
    stores = []
    closed: list[list[str]] = []

    async def other() -> None:
        async with running(container):
            stores.append(container.store())
            closed.append(record_closing(container))
            inside.set()
            await asyncio.to_thread(leave.wait)

    async def one() -> None:
        async with running(container):
            stores.append(container.store())
        assert closed == [[]]

    thread = threading.Thread(target=asyncio.run, args=(other(),))
    thread.start()
    inside.wait()
    asyncio.run(one())
    leave.set()
    thread.join()
    assert stores[0] is stores[1]
    assert closed == [["closed"]]


async def test_a_block_that_fails_to_start_does_not_affect_the_others(container):
    class Failing(InMemoryBackend):
        failing = False

        def ping(self) -> None:
            if self.failing:
                raise ObjectStoreUnavailable("does not answer")

    backend = Failing()
    container = Container(settings=Settings(), backend=backend)
    async with running(container):
        closed = record_closing(container)
        backend.failing = True
        with pytest.raises(ObjectStoreUnavailable):
            async with running(container):
                pass
        assert closed == []
    assert closed == ["closed"]
    backend.failing = False
    async with running(container):
        closed = record_closing(container)
    assert closed == ["closed"]


async def test_an_error_of_the_block_is_not_replaced_by_a_closing_error(container, caplog):
    def fail() -> None:
        raise RuntimeError("cannot close")

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError) as caught:
        async with running(container):
            container.exit_stack().callback(fail)
            raise KeyError("of the block")
    assert caught.value.__notes__ == ["While closing the container: RuntimeError"]
    assert "Closing failed" in caplog.text


async def test_closing_completes_when_the_block_is_cancelled(container):
    closed: list[str] = []

    async def close() -> None:
        await anyio.lowlevel.checkpoint()
        closed.append("closed")

    with anyio.CancelScope() as scope:
        async with running(container):
            container.exit_stack().push_async_callback(close)
            scope.cancel()
            await anyio.sleep_forever()
    assert closed == ["closed"]


async def test_parts_of_a_host_are_neither_closed_nor_reset():
    class Pool:
        closed = False

    class PoolBackend(InMemoryBackend):
        def __init__(self, pool: Pool) -> None:
            super().__init__()
            self.pool = pool

        def close(self) -> None:
            self.pool.closed = True

    class Host(containers.DeclarativeContainer):
        pool = providers.Singleton(Pool)
        users = providers.Singleton(dict, pool=pool)
        backend = providers.ThreadSafeSingleton(PoolBackend, pool)
        coatcheck = providers.Container(Container, settings=providers.Singleton(Settings), backend=backend)

    host: Any = Host()
    pool, users, backend = host.pool(), host.users(), host.backend()
    async with running(host.coatcheck()) as container:
        kept = container.store().put("kept")
        sandbox = container.sandbox()
    assert host.pool() is pool
    assert host.users() is users
    assert host.backend() is backend
    assert not pool.closed
    assert host.coatcheck().store().get(kept) == "kept"
    assert host.coatcheck().sandbox() is not sandbox


async def test_a_branch_that_a_host_adds_to_the_selector_is_not_closed(container):
    container.backend.set_providers(**container.backend.providers, mine=providers.ThreadSafeSingleton(InMemoryBackend))
    container.backend.set_selector(providers.Object("mine"))
    async with running(container):
        kept = container.store().put("kept")
    assert container.store().get(kept) == "kept"


async def test_a_client_that_disconnects_does_not_affect_the_others(container):
    server: MCPServer[Any] = MCPServer("shared", lifespan=lambda _: running(container))
    attach(server, container)
    async with Client(server) as one:
        stored = (await one.call_tool("object_store_put", {"value": [1, 2]})).content[0].text.split("@")[1].rstrip(".")
        async with Client(server) as other:
            assert (await other.call_tool("object_store_list", {})).content
        answer = await one.call_tool("object_store_get", {"object_id": stored, "path": "[1]"})
        assert answer.content[0].text == "2"
    async with Client(server) as later:
        answer = await later.call_tool("object_store_get", {"object_id": stored, "path": "[1]"})
        assert answer.content[0].text == "2"


async def test_objects_in_memory_live_as_long_as_the_container(container):
    alice = Caller(CallerKind.PRINCIPAL, "alice")
    async with running(container):
        with container.tenancy().enter(alice):
            stored = container.store().put("hers")
        sandbox = container.sandbox()
    async with running(container):
        assert container.sandbox() is not sandbox
        with container.tenancy().enter(alice):
            assert container.store().get(stored) == "hers"
        assert container.store().get(stored) is None
    assert Container(settings=Settings()).store().get(stored) is None


async def test_the_host_of_the_documentation_is_valid_and_runs():
    class Host(containers.DeclarativeContainer):
        config = providers.Configuration()
        coatcheck = providers.Container(
            Container, settings=providers.Singleton(Settings.model_validate, config.coatcheck)
        )

    host: Any = Host(config={"coatcheck": {"object_store_ttl": 60}})
    host.coatcheck().server()
    async with running(host.coatcheck()) as container:
        assert container.store().ttl == 60


async def test_users_wire_their_own_code_without_an_effect_on_containers():
    @dependency_injector.wiring.inject
    def stored(store: ObjectStore = dependency_injector.wiring.Provide[Container.store]) -> int:
        return len(store.list())

    module = types.ModuleType("users_module")
    vars(module).update(stored=stored, Container=Container)
    wired, other = Container(settings=Settings()), Container(settings=Settings())
    try:
        wired.wire(modules=[module])
        for container in (wired, other):
            async with running(container):
                container.store().put([1])
            assert container.store().get("obj_none") is None
            assert "__self__" not in graph.text(container)
        assert module.stored() == 1
        with overridden(wired, backend=InMemoryBackend()):
            assert module.stored() == 0
    finally:
        wired.unwire()
        Container.providers.pop("__self__", None)  # added by the library, for all containers of the process
