"""Minutes of load during network faults to Redis: no confirmed object is lost, no call takes long."""

import random
import time

import anyio
import pytest

from tests.degradation.load import Load

pytestmark = [pytest.mark.anyio, pytest.mark.long]

SECONDS, CALLERS = 90, 16
LONGEST_CALL = 1.5  # one second, plus half a second because 16 callers run on the same machine


async def test_load_through_all_faults_loses_nothing(container, network):
    chance = random.Random(1)
    load = Load(container.store(), chance, [1, 500, 50_000], reads=True)

    async def inject_faults():
        faults = [
            network.silence,
            network.refuse,
            lambda: network.cut(reset=True),
            lambda: network.delay(5),
            lambda: network.delay(0.5),
            lambda: network.cut_after(chance.randrange(20_000)),
        ]
        end = time.monotonic() + SECONDS - 8
        while time.monotonic() < end:
            chance.choice(faults)()
            await anyio.sleep(chance.uniform(0.2, 4))
            network.heal()
            await anyio.sleep(chance.uniform(0.2, 5))

    await load.run(CALLERS, SECONDS, inject_faults)
    assert await load.lost() == []
    assert len(load.kept) > 500
    assert load.unavailable > 0
    assert load.slowest < LONGEST_CALL
