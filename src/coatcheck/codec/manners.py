"""What one who works on the event loop owes to others."""

from time import perf_counter, sleep

import anyio
from anyio.lowlevel import checkpoint

PAUSE_AFTER = 0.003
"""Seconds of work after which others get their turns."""

TURNS = 6
"""Turns of the event loop that show whether anybody else has something to do there."""

QUIET = 0.0003
"""Seconds that these turns take where nobody has, and some more."""

REST = 0.001
"""Seconds without work of ours, again and again while others are busy: a call is dozens of small steps, some of them in
threads, and the next call stands behind it."""

MOST_REST = 0.010
"""Seconds after which work goes on although others are busy still."""

THREADS_TURN = 0.0001
"""Seconds in which this thread does nothing, so that another gets the interpreter. It would have to ask for 5 ms, for
each of its steps: the SDK reads and writes its pipes in threads, several steps for a call."""


class Manners:
    """Says when one who works on the event loop has to let others work, and lets them."""

    def __init__(self) -> None:
        self._started = perf_counter()

    def are_due(self) -> bool:
        """Whether it is time to let others work."""
        return perf_counter() - self._started >= PAUSE_AFTER

    async def pause(self) -> None:
        """Let others work, until they have nothing to do or it has been long enough."""
        end = perf_counter() + MOST_REST
        _leave_interpreter()
        while True:
            before = perf_counter()
            for _ in range(TURNS):
                await checkpoint()
            self._started = perf_counter()
            if self._started - before < QUIET or self._started > end:
                return
            await anyio.sleep(REST)


def _leave_interpreter() -> None:
    # On purpose not the loop's sleep: that lasts a millisecond at least, and threads need much less.
    sleep(THREADS_TURN)
