"""Work on the event loop yields; the length of the pause depends on whether other tasks have work."""

from time import perf_counter

import anyio
import pytest
from anyio.lowlevel import checkpoint

from coatcheck.codec import free_chunks
from coatcheck.codec.chunked import yield_budget
from coatcheck.codec.chunked.yield_budget import YieldBudget

pytestmark = pytest.mark.anyio


@pytest.fixture
def always_due(monkeypatch):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)


async def count_rests(monkeypatch, computing: float) -> int:
    """Count the rests of a pause while another task computes in each iteration of the loop until the third rest."""
    count = 0
    rest = anyio.sleep

    async def counted(seconds: float) -> None:
        nonlocal count
        count += 1
        await rest(seconds)

    async def compute() -> None:
        while True:
            end = perf_counter() + computing
            while perf_counter() < end:
                pass
            await (checkpoint() if count < 3 else rest(0.01))

    monkeypatch.setattr(yield_budget.anyio, "sleep", counted)
    async with anyio.create_task_group() as group:
        if computing:
            group.start_soon(compute)
        await YieldBudget().pause()
        group.cancel_scope.cancel()
    return count


async def test_a_pause_is_short_if_no_other_task_is_ready(monkeypatch):
    monkeypatch.setattr(yield_budget, "QUIET", 0.1)  # however slow the machine
    assert await count_rests(monkeypatch, 0) == 0


@pytest.mark.parametrize(("longest", "fewest"), [(60.0, 3), (0.0, 0)])
async def test_a_pause_lasts_up_to_a_limit_while_other_tasks_compute(monkeypatch, longest, fewest):
    monkeypatch.setattr(yield_budget, "MOST_REST", longest)
    found = await count_rests(monkeypatch, 0.001)
    assert found >= fewest
    assert fewest or not found


class Part:
    alive = 0

    def __init__(self) -> None:
        Part.alive += 1

    def __del__(self) -> None:
        Part.alive -= 1


@pytest.mark.usefixtures("always_due")
async def test_a_value_is_freed_in_chunks_and_parts_in_use_stay():
    pieces = [[Part() for _ in range(10)] for _ in range(50)]
    used = pieces[20][3]
    seen = []

    async def observe() -> None:
        while True:
            seen.append(Part.alive)
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(observe)
        await free_chunks(pieces)
        group.cancel_scope.cancel()
    assert {*range(10, 491, 10)} <= {alive - alive % 10 for alive in seen}
    assert Part.alive == 1
    del used
    assert Part.alive == 0
