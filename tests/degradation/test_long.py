"""Minutes of load while the way to Redis breaks in every way: nothing acknowledged is lost, nobody waits long."""

import random
import time

import anyio
import pytest

from coatcheck.errors import ObjectNotFound, ObjectStoreUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.long]

SECONDS, CALLERS = 90, 16
LONGEST_CALL = 1.5  # one second, and half of one because 16 callers and the faults share the machine


async def test_load_through_all_faults_loses_nothing(container, network):  # noqa: C901
    store, chance = container.store(), random.Random(1)
    kept: dict[str, int] = {}
    slowest, unavailable, end = [0.0], [0], time.monotonic() + SECONDS

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
            object_id = await call(store.aput([number, turn] * chance.choice([1, 500, 50_000])))
            if object_id:
                kept[object_id] = turn
            some = chance.choice(list(kept)) if kept else None
            if some and (value := await call(store.afetch(some))) is not None:
                assert value[1] == kept[some]

    async def trouble():
        faults = [
            network.silence,
            network.refuse,
            lambda: network.cut(reset=True),
            lambda: network.delay(5),
            lambda: network.delay(0.5),
            lambda: network.cut_after(chance.randrange(20_000)),
        ]
        while time.monotonic() < end - 8:
            chance.choice(faults)()
            await anyio.sleep(chance.uniform(0.2, 4))
            network.heal()
            await anyio.sleep(chance.uniform(0.2, 5))

    async with anyio.create_task_group() as group:
        group.start_soon(trouble)
        for number in range(CALLERS):
            group.start_soon(caller, number)
    lost = 0
    for object_id, turn in kept.items():
        try:
            assert (await store.afetch(object_id))[1] == turn
        except ObjectNotFound:
            lost += 1
    assert lost == 0
    assert len(kept) > 500
    assert unavailable[0] > 0
    assert slowest[0] < LONGEST_CALL
