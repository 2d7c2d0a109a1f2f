"""Bounds the time for which work blocks the event loop before it yields to other tasks."""

from time import perf_counter, sleep, thread_time

import anyio
from anyio.lowlevel import checkpoint

PAUSE_AFTER = 0.003
"""Seconds of work after which it yields."""

TURNS = 6
"""Iterations of the event loop after which it is known whether other tasks have work."""

QUIET = 0.0002
"""Maximum CPU seconds of these iterations, or of a rest, while no other task has work."""

REST = 0.001
"""Seconds of one rest; rests follow one another while other tasks are busy. A call has dozens of small steps, some of
them in threads, and the next call waits for it."""

MOST_REST = 0.010
"""Seconds after which work continues although other tasks are still busy."""

THREADS_TURN = 0.0001
"""Seconds that this thread sleeps to release the GIL. Another thread would wait up to 5 ms for it at each of its steps,
and the SDK, which reads and writes its pipes in threads, takes several steps for a call."""


class YieldBudget:
    """Determines when work on the event loop should yield to other tasks, and yields."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._others_are_busy = False

    def should_yield(self) -> bool:
        """Whether it is time to yield."""
        return perf_counter() - self._started >= PAUSE_AFTER

    async def pause(self) -> None:
        """Yield until the other tasks are idle, at most for ``MOST_REST``."""
        end = perf_counter() + MOST_REST
        _release_gil()
        computed = thread_time()
        for _ in range(TURNS):
            await checkpoint()
        # A task that waits for a thread may be busy again soon, which only a rest shows, not a few iterations.
        self._others_are_busy |= thread_time() - computed > QUIET
        while self._others_are_busy and perf_counter() < end:
            computed = thread_time()
            await anyio.sleep(REST)
            self._others_are_busy = thread_time() - computed > QUIET
        self._started = perf_counter()


def _release_gil() -> None:
    # Not the event loop's sleep: that lasts at least a millisecond, and a thread needs much less.
    sleep(THREADS_TURN)
