"""Waiting for what tests cannot be told of: the only polling in the tests, always with a deadline.

Prefer an event: a line that a process writes, an ``anyio.Event``, a ``threading.Event``, a future. Where there is none,
wait here. A test in ``tests/architecture`` keeps other sleeps out.
"""

import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds. Far more than anything takes on a busy machine: it is reached only where something never happens."""

INTERVAL = 0.01
"""Seconds between two looks."""

MARGIN = 4.0
"""How many times what is promised a test allows. `make bench` measures how long things take."""

QUIET = 0.7
"""Seconds without a change after which something counts as standing still."""


def wait_until(condition: Callable[[], T], what: str, *, seconds: float = DEADLINE, interval: float = INTERVAL) -> T:
    """Look again and again until a condition holds; return what it gave.

    Args:
        condition: Returns something true once it has happened.
        what: What is waited for, for the message.
        seconds: Deadline.
        interval: Seconds between two looks; longer where looking changes what is looked at.
    """
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, f"this did not happen within {seconds:g} s: {what}"
        time.sleep(interval)
    return found


async def until(
    condition: Callable[[], T | Awaitable[T]], what: str, *, seconds: float = DEADLINE, interval: float = INTERVAL
) -> T:
    """Do the same without holding up the event loop; the condition may be a coroutine function."""
    ends = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < ends, f"this did not happen within {seconds:g} s: {what}"
        await anyio.sleep(interval)


def wait_until_steady(look: Callable[[], T], what: str, *, seconds: float = DEADLINE) -> T:
    """Wait until something true has not changed for ``QUIET`` seconds; return it.

    On a busy machine it may return too early. Use it where too early an answer cannot fail a test.
    """
    last, since = look(), time.monotonic()

    def is_steady() -> bool:
        nonlocal last, since
        now = look()
        if now != last:
            last, since = now, time.monotonic()
        return bool(now) and time.monotonic() - since > QUIET

    wait_until(is_steady, f"{what} stands still", seconds=seconds)
    return last


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Check that something takes no longer than is promised, with room for what else the machine does."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < MARGIN * seconds, f"took {took:.1f} s where {seconds:g} s are promised"
