"""How long work may hold the event loop before other tasks get a turn."""

from time import perf_counter, sleep, thread_time

import anyio
from anyio.lowlevel import checkpoint

PAUSE_AFTER = 0.003
"""Seconds of work after which others get their turns."""

TURNS = 6
"""Turns of the event loop that show whether other tasks have something to do there."""

QUIET = 0.0002
"""Seconds of computing that these turns, or a rest, take where no task has, and some more."""

REST = 0.001
"""Seconds without work of ours, again and again while others are busy: a call is dozens of small steps, some of them in
threads, and the next call stands behind it."""

MOST_REST = 0.010
"""Seconds after which work goes on although others are busy still."""

THREADS_TURN = 0.0001
"""Seconds in which this thread does nothing, so that another gets the interpreter. It would have to ask for 5 ms, for
each of its steps: the SDK reads and writes its pipes in threads, several steps for a call."""


class YieldBudget:
    """Says when one who works on the event loop has to let others work, and lets them."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._others_are_busy = False

    def should_yield(self) -> bool:
        """Whether it is time to let others work."""
        return perf_counter() - self._started >= PAUSE_AFTER

    async def pause(self) -> None:
        """Let others work, until they have nothing to do or it has been long enough."""
        end = perf_counter() + MOST_REST
        _leave_interpreter()
        computed = thread_time()
        for _ in range(TURNS):
            await checkpoint()
        # Who was busy just now may be so again soon, when a thread is done: then a rest shows it, not a few turns.
        self._others_are_busy |= thread_time() - computed > QUIET
        while self._others_are_busy and perf_counter() < end:
            computed = thread_time()
            await anyio.sleep(REST)
            self._others_are_busy = thread_time() - computed > QUIET
        self._started = perf_counter()


def _leave_interpreter() -> None:
    # On purpose not the loop's sleep: that lasts a millisecond at least, and threads need much less.
    sleep(THREADS_TURN)
