"""Overrides take effect immediately everywhere, and are removed completely."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from dependency_injector import containers, providers

from coatcheck.backends import InMemoryBackend, SQLiteBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound
from coatcheck.lifecycle import overridden, running
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

pytestmark = pytest.mark.anyio


class Host(containers.DeclarativeContainer):
    config = providers.Configuration()
    coatcheck = providers.Container(
        Container, settings=providers.ThreadSafeSingleton(Settings.model_validate, config.coatcheck)
    )


def default_container() -> Container:
    return Container(settings=Settings(object_store_ttl=60))


def container_with_backend() -> Container:
    return Container(settings=Settings(object_store_ttl=60), backend=providers.ThreadSafeSingleton(InMemoryBackend))


def embedded() -> Any:
    return Host(config={"coatcheck": {"object_store_ttl": 60}}).coatcheck()


@pytest.fixture(params=[default_container, container_with_backend, embedded])
def container(request: pytest.FixtureRequest) -> Any:
    return request.param()


def state(container: Container) -> dict[str, Any]:
    """The overrides of each provider of the container."""
    return {name: provider.overridden for name, provider in container.providers.items()}


def block(container: Container) -> dict[str, Callable[[], Any]]:
    return {
        "plain override": lambda: container.backend.override(InMemoryBackend()),
        "overridden backend": lambda: overridden(container, backend=InMemoryBackend()),
        "overridden by a provider": lambda: overridden(container, backend=providers.Singleton(InMemoryBackend)),
        "overridden settings and backend": lambda: overridden(
            container, settings=Settings(object_store_ttl=5), backend=InMemoryBackend()
        ),
    }


BLOCKS = list(block(default_container()))


@pytest.mark.parametrize("kind", BLOCKS)
def test_objects_inside_and_outside_the_block_are_separate(container, kind):
    before = container.store().put("before")
    store, overrides = container.store(), state(container)
    with block(container)[kind]():
        assert container.store().get(before) is None
        inside = container.store().put("inside")
        assert container.store().get(inside) == "inside"
    assert container.store() is store
    assert container.store().get(before) == "before"
    assert container.store().get(inside) is None
    assert state(container) == overrides


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_store_that_is_created_inside_does_not_remain(container, kind):
    with block(container)[kind]():
        inside = container.store().put("inside")
    assert container.store().get(inside) is None
    assert container.store().ttl == 60


def test_other_settings_apply_to_the_store_the_backend_and_the_explorer(container, tmp_path):
    before = container.store().put("before")
    settings = Settings(object_store_backend="memory", object_store_ttl=5, preview_limit=277, max_namespace_objects=1)
    with overridden(container, settings=settings):
        assert (container.store().ttl, container.explorer().preview_limit) == (5, 277)
        kept = [container.store().put(number) for number in range(2)]
        if isinstance(container.backend.last_overriding, providers.Selector):
            assert container.store().get(kept[0]) is None
    assert (container.store().ttl, container.explorer().preview_limit) == (60, 4000)
    assert container.store().get(before) == "before"


def test_another_tenancy_determines_the_namespace(container):
    tenancy = Tenancy("another secret")
    with overridden(container, tenancy=tenancy), tenancy.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        hers = container.store().put("hers")
        assert container.store().namespace() == tenancy.namespace() != ""
    assert container.store().get(hers) is None
    assert container.store().namespace() == ""


def test_functions_that_were_decorated_before_use_the_override(container):
    @container.explorable()
    def numbers() -> list[int]:
        return [1, 2]

    backend = InMemoryBackend()
    numbers()
    with overridden(container, backend=backend):
        numbers()
    numbers()
    assert backend.statistics().objects == 1


def test_blocks_may_be_nested(container):
    first, second = InMemoryBackend(), InMemoryBackend()
    with overridden(container, backend=first):
        outer = container.store().put("outer")
        with overridden(container, backend=second, settings=Settings(object_store_ttl=5)):
            assert container.backend() is second
            with pytest.raises(ObjectNotFound):
                container.store().fetch(outer)
        assert container.store().fetch(outer) == "outer"
        assert container.store().ttl == 60
    assert container.backend() not in {first, second}


def test_blocks_that_overlap_end_in_either_order(container):
    overrides = state(container)
    first, second = InMemoryBackend(), InMemoryBackend()
    one, other = overridden(container, backend=first), overridden(container, backend=second)
    one.__enter__()
    other.__enter__()
    one.__exit__()
    assert container.backend() is second
    other.__exit__()
    assert state(container) == overrides


def test_an_override_applies_in_all_threads(container):
    found = []
    backend = InMemoryBackend()
    with overridden(container, backend=backend):
        thread = threading.Thread(target=lambda: found.append(container.store().backend))
        thread.start()
        thread.join()
    assert found == [backend]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("make", [default_container, embedded])
async def test_the_block_closes_what_it_opened_and_nothing_else(make, tmp_path, monkeypatch, asynchronous):
    outside: list[str] = []
    closed: list[SQLiteBackend] = []
    close = SQLiteBackend.close

    def noting_close(backend: SQLiteBackend) -> None:
        closed.append(backend)
        close(backend)

    monkeypatch.setattr(SQLiteBackend, "close", noting_close)
    container = make()
    async with running(container):
        container.exit_stack().callback(outside.append, "closed")
        settings = Settings(object_store_backend="sqlite", sqlite_path=tmp_path / "file")
        replaced = overridden(container, settings=settings)
        if asynchronous:
            async with replaced:
                backend, sandbox = await use(container)
        else:
            with replaced:
                backend, sandbox = await use(container)
        assert not sandbox.pids()
        assert closed == [backend]
        assert outside == []
    assert outside == ["closed"]


async def use(container: Container) -> tuple[Any, Any]:
    object_id = await container.store().aput([1])
    assert await container.explorer().aquery(object_id, ".[0]") == "1"
    assert container.sandbox().pids()
    return container.backend(), container.sandbox()


def test_a_backend_that_was_passed_in_is_not_closed(container):
    class ClosableBackend(InMemoryBackend):
        closed = False

        def close(self) -> None:
            self.closed = True

    backend = ClosableBackend()
    with overridden(container, backend=backend):
        container.store().put(1)
    assert not backend.closed


def test_leaving_with_an_error_restores_too(container):
    overrides = state(container)
    with pytest.raises(KeyError), overridden(container, backend=InMemoryBackend()):
        raise KeyError
    assert state(container) == overrides


def test_nothing_to_override_is_an_error():
    with pytest.raises(TypeError, match="backend=, settings=, tenancy= or codec="):
        overridden(default_container())


async def test_parts_of_a_host_that_share_the_store_use_the_override():
    class Sharing(Host):
        reports = providers.Factory(dict, store=Host.coatcheck.store)

    host = Sharing(config={"coatcheck": {"object_store_ttl": 60}})
    store: ObjectStore = host.reports()["store"]
    backend = InMemoryBackend()
    async with overridden(host.coatcheck(), backend=backend):
        assert host.reports()["store"].backend is backend
    assert host.reports()["store"] is store
    await anyio.lowlevel.checkpoint()


async def test_a_selector_of_the_host_selects_the_backend_of_each_operation():
    class Selecting(containers.DeclarativeContainer):
        config = providers.Configuration(default={"backend": "first"})
        coatcheck = providers.Container(
            Container,
            settings=providers.Object(Settings()),
            backend=providers.Selector(
                config.backend,
                first=providers.ThreadSafeSingleton(InMemoryBackend),
                second=providers.ThreadSafeSingleton(InMemoryBackend),
            ),
        )

    host: Any = Selecting()
    store = host.coatcheck().store()
    first = store.put("first")
    with host.config.backend.override("second"):
        assert store.get(first) is None
        await store.aput("second")
        assert host.coatcheck().backend().statistics().objects == 1
    assert store.get(first) == "first"
    assert len(store.list()) == 1
