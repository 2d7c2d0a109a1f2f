"""A timeout measures the time of a server, not delays of the event loop."""

import asyncio

import pytest
from anyio.lowlevel import checkpoint

from coatcheck.backends.redis import async_connections as loop_timeout
from coatcheck.backends.redis.async_connections import STEP_SECONDS, LoopTimeout
from tests.virtual_time import VirtualTimeLoop, pass_time

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def test_work_within_the_timeout_is_not_interrupted():
    with LoopTimeout(5.0)():
        await pass_time(0.01)


async def test_work_beyond_the_timeout_is_cancelled():
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError), LoopTimeout(0.25)():
        await pass_time(60)
    assert 0.25 <= loop.time() - began <= 0.25 + 2 * STEP_SECONDS


async def test_concurrent_uses_of_one_timeout_have_separate_deadlines():
    timeout, loop, given_up = LoopTimeout(0.2), asyncio.get_running_loop(), {}

    async def work(number: int, seconds: float) -> None:
        await pass_time(0.05 * number)
        started = loop.time()
        try:
            with timeout():
                await pass_time(seconds)
        except TimeoutError:
            given_up[number] = loop.time() - started

    await asyncio.gather(*(work(number, 60 if number % 2 else 0.01) for number in range(6)))
    assert sorted(given_up) == [1, 3, 5]
    assert all(0.2 <= seconds <= 0.2 + 2 * STEP_SECONDS for seconds in given_up.values())


async def test_the_timer_stops_with_the_work_and_restarts_with_more(monkeypatch):
    loop, timers = asyncio.get_running_loop(), 0
    call_at = loop.call_at

    def counting_call_at(*args, **options):
        nonlocal timers
        timers += args[1].__name__ == "_step"
        return call_at(*args, **options)

    monkeypatch.setattr(loop, "call_at", counting_call_at)
    timeout = LoopTimeout(0.1)
    for turn in (1, 2):
        with timeout():
            pass
        await pass_time(0.2)
        assert timers == turn
    with pytest.raises(TimeoutError), timeout():
        await pass_time(60)


async def test_work_that_finishes_in_the_iteration_of_its_deadline_succeeds(monkeypatch):
    monkeypatch.setattr(loop_timeout, "MOST_LATE_SECONDS", 0.1)
    answer = asyncio.get_running_loop().create_future()

    async def work() -> str:
        with LoopTimeout(5.0)():
            return await answer

    task = asyncio.ensure_future(work())
    await checkpoint()
    asyncio.get_running_loop().call_soon(answer.set_result, "read")
    asyncio.get_running_loop().lag(0.2)  # both are due in its next iteration: first the answer, then the timeout
    assert await task == "read"
    assert task.cancelling() == 0


async def occupy_loop(until: asyncio.Event, seconds: float) -> None:
    """Keep the event loop almost fully occupied."""
    while not until.is_set():
        asyncio.get_running_loop().lag(seconds)
        await checkpoint()


@pytest.mark.parametrize(("seconds", "turns"), [(0.2, 5), (0.06, 21)])
async def test_time_in_which_the_loop_is_busy_does_not_count(monkeypatch, seconds, turns):
    done = asyncio.Event()
    other = asyncio.ensure_future(occupy_loop(done, seconds))
    try:
        with LoopTimeout(0.5)():  # more than 1 s by the clock
            for _ in range(turns):
                await checkpoint()
        # … but the wait is bounded.
        monkeypatch.setattr(loop_timeout, "MOST_LATE_SECONDS", 0.3)
        with pytest.raises(TimeoutError), LoopTimeout(0.5)():
            await pass_time(60)
    finally:
        done.set()
        await other


async def test_other_exceptions_and_cancellation_pass_unchanged():
    with pytest.raises(KeyError), LoopTimeout(5.0)():
        raise KeyError
    task = asyncio.ensure_future(forever())
    await checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def forever() -> None:
    with LoopTimeout(5.0)():
        await pass_time(60)
