"""Effects on a caller of the store while Redis or its network fails, with a real server each time."""

import time

import anyio
import pytest
import redis

from coatcheck.backends import RedisBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.settings import Settings
from tests.waiting import until, within

pytestmark = pytest.mark.anyio

LARGE = list(range(2000))
WHOLE, PIECE = "This result was not kept: ", "[0,1,2"


async def read_both_ways(container, object_id):
    """Read sync and async, each within its time limit; return the errors."""
    store, errors = container.store(), []
    for call in (
        lambda: store.afetch(object_id),
        lambda: anyio.to_thread.run_sync(store.fetch, object_id),
    ):
        with within(1.0), pytest.raises(ObjectStoreUnavailable) as caught:
            await call()
        errors.append(str(caught.value))
    return errors


async def put_and_preview(container):
    """Pass a result to the model, kept or not."""
    with within(1.0):
        return await container.explorer().aput_and_preview(LARGE)


async def recovers(container, *, seconds=5.0):
    """Wait until a value can be stored and read again."""
    store = container.store()

    async def works():
        try:
            with within(1.0):
                object_id = await store.aput(LARGE)
            assert await store.afetch(object_id) == LARGE
            assert await anyio.to_thread.run_sync(store.fetch, object_id) == LARGE
        except ObjectStoreUnavailable:
            return False
        return True

    with within(seconds):
        await until(works, "the store works again", interval=0.05)


async def assert_unavailable(container, object_id):
    """Check an unavailable store: results reach the model, reads fail, and soon without delay."""
    for _ in range(2):
        kept = await put_and_preview(container)
        assert WHOLE in kept
        assert "1999" in kept  # it fits into an answer, so it is passed as a whole
        for error in await read_both_ways(container, object_id):
            assert "unavailable" in error
            assert "try again" in error
    assert container.backend().breaker.is_open
    for error in await read_both_ways(container, object_id):
        assert "at the moment" in error  # the breaker's own message: the store was not called
    assert "at the moment" in await put_and_preview(container)


@pytest.fixture
async def object_id(container):
    return await container.store().aput(LARGE)


async def test_stopped_and_started_again(container, object_id, network, own_redis):
    own_redis.stop()
    network.refuse()
    await assert_unavailable(container, object_id)
    own_redis.start()
    network.heal()
    await recovers(container)


async def test_a_restart_between_two_calls_has_no_effect(container, object_id, own_redis):
    await read_once(container, object_id)
    own_redis.restart()
    new = await container.store().aput(LARGE)
    assert await container.store().afetch(new) == LARGE
    assert await anyio.to_thread.run_sync(container.store().fetch, new) == LARGE


async def read_once(container, object_id):
    assert await container.store().afetch(object_id) == LARGE
    assert await anyio.to_thread.run_sync(container.store().fetch, object_id) == LARGE


async def test_half_a_second_of_delay_works(container, object_id, network):
    await read_once(container, object_id)
    network.delay(0.5)
    with within(1.0):
        assert await container.store().afetch(object_id) == LARGE
    kept = await put_and_preview(container)
    assert WHOLE not in kept
    network.heal()
    await recovers(container)


async def test_five_seconds_of_delay_count_as_unavailable(container, object_id, network):
    network.delay(5)
    await assert_unavailable(container, object_id)
    network.heal()
    network.cut()
    await recovers(container)


async def test_silent_connections(container, object_id, network):
    await read_once(container, object_id)
    network.silence()
    await assert_unavailable(container, object_id)
    network.heal()
    await recovers(container)


async def test_half_open_connections_fail_one_sync_and_one_async_call(container, object_id, network):
    backend = container.backend().backend

    async def many():
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(backend.aget, "a")
                group.start_soon(anyio.to_thread.run_sync, backend.get, "a")

    await many()
    network.forget()
    await read_both_ways(container, object_id)
    await many()
    await read_once(container, object_id)
    assert WHOLE not in await put_and_preview(container)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_connections_cut_between_two_calls_have_no_effect(container, object_id, network, reset):
    for _ in range(5):
        await read_once(container, object_id)
        network.cut(reset=reset)
        assert WHOLE not in await put_and_preview(container)


@pytest.mark.parametrize("count", [1, 5, 3000])
async def test_connections_cut_in_the_middle_of_a_response(container, object_id, network, count):
    await read_once(container, object_id)
    network.cut_after(count)
    with within(1.0), pytest.raises(ObjectStoreUnavailable, match="try again"):
        await container.store().afetch(object_id)
    with within(1.0), pytest.raises(ObjectStoreUnavailable, match="try again"):
        await anyio.to_thread.run_sync(container.store().fetch, object_id)
    network.heal()
    await recovers(container)
    await read_once(container, object_id)


async def test_out_of_memory_loses_no_result_and_reads_work(container, object_id, own_redis):
    with redis.Redis.from_url(own_redis.url) as bare:
        bare.config_set("maxmemory-policy", "noeviction")
        bare.config_set("maxmemory", "100kb")
        for _ in range(5):
            kept = await put_and_preview(container)
            assert "no memory left" in kept
            assert "1999" in kept
            await read_once(container, object_id)
        assert not container.backend().breaker.is_open
        bare.config_set("maxmemory", "0")
    await recovers(container, seconds=1.0)


async def test_a_read_only_replica_loses_no_result_and_reads_work(container, object_id, own_redis):
    with redis.Redis.from_url(own_redis.url) as bare:
        bare.replicaof("127.0.0.1", "1")
        for _ in range(5):
            kept = await put_and_preview(container)
            assert "read-only replica" in kept
            assert "1999" in kept
            await read_once(container, object_id)
        bare.execute_command("REPLICAOF", "NO", "ONE")
    await recovers(container, seconds=1.0)


async def test_a_wrong_password_is_reported_each_time_and_never_shown(own_redis):
    url = f"redis://:wr0ng-secret@127.0.0.1:{own_redis.port}/0"
    with redis.Redis.from_url(own_redis.url) as bare:
        bare.config_set("requirepass", "right")
    container = Container(settings=Settings(object_store_backend="redis", redis_url=url))
    for _ in range(4):
        kept = await put_and_preview(container)
        assert "did not accept the credentials" in kept
        assert "1999" in kept
        for error in await read_both_ways(container, "obj_1"):
            assert "did not accept the credentials" in error
            assert "wr0ng" not in error + kept
    await container.exit_stack().aclose()


async def test_a_password_changed_while_connections_are_open(container, object_id, own_redis, network, caplog):
    with redis.Redis.from_url(own_redis.url) as bare:
        bare.config_set("requirepass", "right")
    network.cut()
    for _ in range(3):
        assert "did not accept the credentials" in await put_and_preview(container)
    assert caplog.text.count("did not accept the credentials") == 1
    with redis.Redis.from_url(own_redis.url, password="right") as bare:
        bare.config_set("requirepass", "")
    await recovers(container)


async def test_many_concurrent_callers_all_finish_in_time(container, object_id, network):
    await read_once(container, object_id)
    network.silence()

    async def call():
        with within(1.0), pytest.raises(ObjectStoreUnavailable):
            await container.store().afetch(object_id)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(call)


def test_a_large_value_may_take_longer_than_the_timeout_while_data_arrives(network):
    backend = RedisBackend(f"redis://127.0.0.1:{network.port}/0", timeout=0.8)
    value = bytes(5 * 2**20)
    backend.set("a", value, None)
    network.delay(0.015)  # per 64 KiB: the first 4 MiB already exceed the timeout
    start = time.monotonic()
    assert backend.get("a") == value
    assert time.monotonic() - start > 1.0
    backend.close()
