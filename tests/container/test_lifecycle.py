import pytest
from dependency_injector import providers

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.lifecycle import running, validate
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def container() -> Container:
    return Container(settings=Settings())


def test_the_default_container_is_valid(container):
    validate(container)
    validate(Container())


def test_validation_creates_nothing():
    def explode() -> None:
        raise AssertionError("made")

    container = Container(settings=providers.Singleton(explode), backend=providers.Singleton(explode))
    validate(container)


async def test_running_closes_what_it_opened_in_reverse_order_and_resets_it(container):
    closed: list[str] = []
    async with running(container) as entered:
        assert entered is container
        container.exit_stack().callback(closed.append, "first")
        container.exit_stack().callback(closed.append, "second")
        store = container.store()
    assert closed == ["second", "first"]
    assert container.store() is not store


async def test_closing_continues_after_a_failure(container):
    closed: list[str] = []

    def fail() -> None:
        raise RuntimeError("cannot close")

    with pytest.raises(RuntimeError, match="cannot close"):
        async with running(container):
            container.exit_stack().callback(closed.append, "opened first")
            container.exit_stack().callback(fail)
    assert closed == ["opened first"]


async def test_a_container_can_run_again(container, redis_server):
    settings = Settings(object_store_backend="redis", redis_url=redis_server.url)
    container = Container(settings=settings)
    async with running(container):
        object_id = await container.store().aput("kept")
    async with running(container):
        assert await container.store().aget(object_id) == "kept"


async def test_running_reports_the_address_of_an_unreachable_redis_without_the_password():
    settings = Settings(object_store_backend="redis", redis_url="redis://:hunter2@127.0.0.1:1", redis_timeout=1)
    with pytest.raises(ObjectStoreUnavailable, match="127.0.0.1:1") as caught:
        async with running(Container(settings=settings)):
            pass
    assert "hunter2" not in str(caught.value)


async def test_the_sandbox_workers_exit_with_the_container(container):
    async with running(container):
        object_id = await container.store().aput([1])
        assert await container.explorer().aquery(object_id, ".[0]") == "1"
        sandbox = container.sandbox()
        assert sandbox.pids()
    assert not sandbox.pids()


async def test_a_container_with_a_custom_backend_runs():
    backend = InMemoryBackend()
    async with running(Container(settings=Settings(), backend=backend)) as container:
        await container.store().aput("x")
    assert backend.statistics().objects == 1
