"""Anonymous callers: one who sends many endless filters does not starve another."""

import anyio
import pytest

from coatcheck.codec import encode
from coatcheck.errors import SandboxTimeout
from coatcheck.explorer.sandbox import Sandbox, pool
from coatcheck.explorer.sandbox.service import LifoLimiter

pytestmark = pytest.mark.anyio
ENDLESS = "last(range(1e12))"


@pytest.fixture
def sandbox(monkeypatch):
    monkeypatch.setattr(pool, "QUEUE_OPERATIONS", 240)  # on a busy machine it takes long to stop a filter
    opened = Sandbox(workers=1, timeout=0.2)  # the filters use all the CPU time that they get
    yield opened
    opened.close()


async def query(sandbox, namespace, program):
    encoded = encode({"a": 1})
    args = {"filter": program, "path": "", "limit": 1000, "reference": "@obj_1"}
    return await sandbox.arun(
        "query", args, key=namespace, namespace=namespace, load=lambda: (encoded.metadata, encoded.payload)
    )


async def test_a_call_behind_many_endless_filters_is_answered(sandbox):
    stopped = []

    async def attack(number):
        with pytest.raises(SandboxTimeout) as raised:
            await query(sandbox, f"attacker-{number}", ENDLESS)
        stopped.append(str(raised.value))

    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(attack, number)
        await anyio.wait_all_tasks_blocked()
        assert (await query(sandbox, "another", ".a")).text == "1"
        assert len(stopped) < 10  # of the earlier callers
    assert len(stopped) == 16


async def test_a_burst_of_short_calls_starts_no_extra_workers(sandbox, monkeypatch):
    monkeypatch.setattr(pool, "EXTRA_AFTER", 240)  # a busy machine takes longer for a short call
    await query(sandbox, "first", ".a")
    permanent, seen = sandbox.pids(), []

    async def call(number):
        assert (await query(sandbox, f"caller-{number}", ".a")).text == "1"
        seen.extend(sandbox.pids())

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(call, number)
    assert set(seen) == set(permanent)


async def test_waiting_callers_enter_newest_first_and_none_is_lost():
    gate = LifoLimiter(1)
    await gate.enter()
    entered = []

    async def caller(name):
        await gate.enter()
        entered.append(name)
        gate.leave()

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(caller, name)
            await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0) as patience:
            await gate.enter()
        assert patience.cancelled_caught
        gate.leave()
    assert entered == ["c", "b", "a"]
    await gate.enter()
