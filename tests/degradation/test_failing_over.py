"""What callers see during a failover to a replica, with real sentinels and a real cluster."""

import random
import time
from contextlib import asynccontextmanager, contextmanager

import anyio
import pytest
import redis

from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.settings import Settings
from tests.degradation.load import Load
from tests.redis_groups import redis_cluster, sentinel_service
from tests.waiting import until, within

pytestmark = pytest.mark.anyio

LARGE = list(range(2000))
WHOLE = "This result was not kept: "
LONGEST_CALL = 1.0
RECOVERY = 5.0  # seconds from the moment that the replica is the primary


@asynccontextmanager
async def container_over(url):
    """A container that is closed even if the test fails, so that open connections fail no other test."""
    container = Container(settings=Settings(object_store_backend="redis", redis_url=url))
    try:
        yield container
    finally:
        await container.exit_stack().aclose()


@contextmanager
def sentinels():
    """A service whose primary can be killed; waits until the replica is the primary."""
    with sentinel_service(down_after=0.3) as service:
        old = service.primary()

        def kill_primary():
            old.stop()

        yield service.url, [old], kill_primary, lambda: service.wait_for_other_primary(old), old.start


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
    """Wait until the replica has copied the primary."""
    with redis.Redis(port=primary.port) as bare:
        assert bare.execute_command("WAIT", 1, 5000) >= 1


async def read_both_ways(container, object_id):
    assert await container.store().afetch(object_id) == LARGE
    assert await anyio.to_thread.run_sync(container.store().fetch, object_id) == LARGE


async def recovers(container, object_ids):
    """Wait until every object can be read and some hundred new ones can be stored, in all slots."""

    async def works():
        try:
            with within(LONGEST_CALL):
                await container.store().aput(LARGE)
            for object_id in object_ids:
                await read_both_ways(container, object_id)
            for _ in range(30):
                await read_both_ways(container, await container.store().aput(LARGE))
        except ObjectStoreUnavailable:
            return False
        return True

    with within(RECOVERY):
        await until(works, "everything can be stored and read", interval=0.05)


@pytest.mark.parametrize("group", [sentinels, cluster], ids=["sentinel", "cluster"])
async def test_a_lost_primary_is_replaced_and_nothing_is_lost(group):
    with group() as (url, lost, kill_primary, wait, restart):
        async with container_over(url) as container:
            object_ids = [await container.store().aput(LARGE) for _ in range(20)]
            for object_id in object_ids:
                await read_both_ways(container, object_id)
            copied(lost[0])
            kill_primary()
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
            restart()  # now as a replica, which must not be written to
            for object_id in object_ids:
                await read_both_ways(container, object_id)


@pytest.mark.long
@pytest.mark.parametrize("group", [sentinels, cluster], ids=["sentinel", "cluster"])
async def test_load_while_a_primary_is_lost(group):
    """Redis replicates after it has responded: writes of the last tenth of a second may be lost with the primary."""
    with group() as (url, _, kill_primary, wait, restart):
        lost_at = taken_over_at = 0.0

        async def inject_faults():
            nonlocal lost_at, taken_over_at
            await until(lambda: len(load.kept) > 2_000, "many objects have been stored")
            lost_at = time.monotonic()
            await anyio.to_thread.run_sync(kill_primary)
            await anyio.to_thread.run_sync(wait)
            taken_over_at = time.monotonic()
            after = len(load.kept)
            await until(lambda: len(load.kept) > after + 500, "more objects are stored after that")
            await anyio.to_thread.run_sync(restart)

        async with container_over(url) as container:
            load = Load(container.store(), random.Random(1), [1, 500, 20_000], pause=0.01)
            await load.run(8, 40, inject_faults)
            for gone in await load.lost():
                assert lost_at - 0.1 < gone.at < lost_at + 0.1
            assert len([kept for kept in load.kept.values() if taken_over_at + RECOVERY < kept.at]) > 100
            assert load.unavailable > 0
            assert load.slowest < LONGEST_CALL + 0.5  # callers and servers run on the same machine
