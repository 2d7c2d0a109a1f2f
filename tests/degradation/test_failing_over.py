"""What callers see while a primary is lost and its replica takes over, with real sentinels and a real cluster."""

import random
import time
from contextlib import contextmanager

import anyio
import pytest
import redis

from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound, ObjectStoreUnavailable
from coatcheck.settings import Settings
from coatcheck.testing import redis_cluster, sentinel_service

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

LARGE = list(range(2000))
WHOLE = "This result was not kept: "
LONGEST_CALL = 1.0
RECOVERY = 5.0  # seconds from the moment that the replica is the primary


@contextmanager
def within(seconds):
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < seconds


@contextmanager
def sentinels():
    """A service whose primary can be killed; waits until the replica is the primary."""
    with sentinel_service(down_after=0.3) as service:
        old = service.primary()

        def lose():
            old.stop()

        yield service.url, [old], lose, lambda: service.wait_for_another(old), old.start


@contextmanager
def cluster():
    """A cluster whose first primary can be killed; waits until the replica is the primary."""
    with redis_cluster(replica=True, node_timeout=0.4) as cluster:
        yield (
            cluster.url,
            list(cluster.primaries[:1]),
            cluster.primaries[0].stop,
            cluster.wait_for_failover,
            cluster.primaries[0].start,
        )


def copied(primary):
    """Wait until the replica has what the primary has."""
    with redis.Redis(port=primary.port) as bare:
        assert bare.execute_command("WAIT", 1, 5000) >= 1


async def both_ways(container, object_id):
    assert await container.store().afetch(object_id) == LARGE
    assert await anyio.to_thread.run_sync(container.store().fetch, object_id) == LARGE


async def recovers(container, object_ids):
    """Until every object can be read, and some hundred new ones stored, wherever they belong."""
    start = time.monotonic()
    while True:
        try:
            with within(LONGEST_CALL):
                await container.store().aput(LARGE)
            for object_id in object_ids:
                await both_ways(container, object_id)
            for _ in range(30):
                await both_ways(container, await container.store().aput(LARGE))
        except ObjectStoreUnavailable:
            assert time.monotonic() - start < RECOVERY
            await anyio.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("group", [sentinels, cluster], ids=["sentinel", "cluster"])
async def test_a_lost_primary_is_replaced_and_nothing_is_lost(group):
    with group() as (url, lost, lose, wait, come_back):
        container = Container(settings=Settings(object_store_backend="redis", redis_url=url))
        object_ids = [await container.store().aput(LARGE) for _ in range(20)]
        for object_id in object_ids:
            await both_ways(container, object_id)
        copied(lost[0])
        lose()
        not_kept = 0
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(anyio.to_thread.run_sync, wait)
            for _ in range(20):
                with within(LONGEST_CALL):
                    kept = await container.explorer().aput_and_preview(LARGE)
                not_kept += WHOLE in kept
                assert "1999" in kept or WHOLE not in kept
        assert not_kept > 0
        await recovers(container, object_ids)
        come_back()  # as a replica now, which nobody is to write to
        for object_id in object_ids:
            await both_ways(container, object_id)
        await container.exit_stack().aclose()


@pytest.mark.long
@pytest.mark.parametrize("group", [sentinels, cluster], ids=["sentinel", "cluster"])
async def test_load_while_a_primary_is_lost(group):
    """Redis copies to replicas after it has answered: what it took in the last tenth of a second may be lost with it."""
    with group() as (url, _, lose, wait, come_back):
        container = Container(settings=Settings(object_store_backend="redis", redis_url=url))
        store, chance, kept, unavailable = container.store(), random.Random(1), {}, [0]
        slowest, end, lost_at = [0.0], time.monotonic() + 40, [0.0, 0.0]

        async def call(work):
            start = time.perf_counter()
            try:
                return await work
            except ObjectStoreUnavailable:
                unavailable[0] += 1
                await anyio.sleep(0.05)
                return None
            finally:
                slowest[0] = max(slowest[0], time.perf_counter() - start)

        async def caller(number):
            turn = 0
            while time.monotonic() < end:
                turn += 1
                object_id = await call(store.aput([number, turn] * chance.choice([1, 500, 20_000])))
                if object_id:
                    kept[object_id] = (number, turn, time.monotonic())
                await anyio.sleep(0.01)

        async def trouble():
            await anyio.sleep(10)
            lost_at[0] = time.monotonic()
            await anyio.to_thread.run_sync(lose)
            await anyio.to_thread.run_sync(wait)
            lost_at[1] = time.monotonic()
            await anyio.sleep(5)
            await anyio.to_thread.run_sync(come_back)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trouble)
            for number in range(8):
                tasks.start_soon(caller, number)
        for object_id, (number, turn, at) in kept.items():
            try:
                assert (await store.afetch(object_id))[:2] == [number, turn]
            except ObjectNotFound:
                assert lost_at[0] - 0.1 < at < lost_at[0] + 0.1
        after = [at for _, _, at in kept.values() if lost_at[1] + RECOVERY < at]
        assert len(after) > 100
        assert unavailable[0] > 0
        assert slowest[0] < LONGEST_CALL + 0.5  # callers and servers share the machine
        await container.exit_stack().aclose()
