"""Polling with a deadline, for conditions without an event.

Prefer an event: a line that a process writes, an ``anyio.Event``, a ``threading.Event``, a future. Without an event,
use these functions. A test in ``tests/architecture`` finds all other sleeps.
"""

import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds: far longer than any wait on a busy machine, so that only a failure reaches it."""

INTERVAL = 0.01
"""Seconds between two polls."""

MARGIN = 4.0
"""Factor by which a test may exceed a promised time. `make bench` measures durations."""

QUIET = 0.7
"""Seconds without a change after which a value counts as steady."""


def wait_until(condition: Callable[[], T], what: str, *, seconds: float = DEADLINE, interval: float = INTERVAL) -> T:
    """Poll until a condition holds; return its result.

    Args:
        condition: Returns something true once it holds.
        what: Description of the condition, for the message.
        seconds: Deadline.
        interval: Seconds between two polls; longer if polling affects the result.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"this did not happen within {seconds:g} s: {what}"
        time.sleep(interval)
    return found


async def until(
    condition: Callable[[], T | Awaitable[T]], what: str, *, seconds: float = DEADLINE, interval: float = INTERVAL
) -> T:
    """Do the same without blocking the event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"this did not happen within {seconds:g} s: {what}"
        await anyio.sleep(interval)


def wait_until_steady(read: Callable[[], T], what: str, *, seconds: float = DEADLINE) -> T:
    """Wait until a true value has not changed for ``QUIET`` seconds; return it.

    On a busy machine it may return too early. Use it only if an early return cannot fail the test.
    """
    last, since = read(), time.monotonic()

    def is_steady() -> bool:
        nonlocal last, since
        now = read()
        if now != last:
            last, since = now, time.monotonic()
        return bool(now) and time.monotonic() - since > QUIET

    wait_until(is_steady, f"{what} is steady", seconds=seconds)
    return last


@contextmanager
def within(seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Check that the block takes no longer than promised, with a margin for other load of the machine.

    With ``time.process_time``, only the CPU time of this process counts, which other load does not change.
    """
    started = clock()
    yield
    elapsed = clock() - started
    assert elapsed < MARGIN * seconds, f"took {elapsed:.1f} s, longer than the promised {seconds:g} s"
