"""A timeout counts the time of a server, not that of an event loop that lags."""

import asyncio
import time

import pytest

from coatcheck.backends.redis import loop_timeout
from coatcheck.backends.redis.loop_timeout import LoopTimeout

pytestmark = pytest.mark.anyio


async def test_work_in_time_is_let_alone():
    async with LoopTimeout(5.0):
        await asyncio.sleep(0.01)


async def test_work_that_takes_longer_is_given_up():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with LoopTimeout(0.25):
            await asyncio.sleep(60)
    assert 0.24 <= time.monotonic() - began < 30


async def busy(until: asyncio.Event, seconds: float) -> None:
    """Leave the loop next to no time."""
    while not until.is_set():
        time.sleep(seconds)  # noqa: ASYNC251
        await asyncio.sleep(0)


@pytest.mark.parametrize(("seconds", "turns"), [(0.2, 5), (0.06, 21)])
async def test_time_that_the_loop_takes_for_other_things_is_no_time_of_the_server(monkeypatch, seconds, turns):
    done = asyncio.Event()
    other = asyncio.ensure_future(busy(done, seconds))
    try:
        async with LoopTimeout(0.5):  # more than 1 s by the clock
            for _ in range(turns):
                await asyncio.sleep(0)
        # … but it does not wait for ever.
        monkeypatch.setattr(loop_timeout, "MOST_LATE_SECONDS", 0.3)
        with pytest.raises(TimeoutError):
            async with LoopTimeout(0.5):
                await asyncio.sleep(60)
    finally:
        done.set()
        await other


async def test_what_ends_the_work_otherwise_is_what_it_was():
    with pytest.raises(KeyError):
        async with LoopTimeout(5.0):
            raise KeyError
    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def forever() -> None:
    async with LoopTimeout(5.0):
        await asyncio.sleep(60)
