"""A timeout that tells a server that does not answer from an event loop that has no time to listen."""

import asyncio
from types import TracebackType

STEP_SECONDS = 0.02
"""How often it is looked whether the loop keeps up: a large answer takes many turns of it, none of them long."""

PUNCTUAL_SECONDS = 0.005
"""What a loop that keeps up may be late by."""

MOST_LATE_SECONDS = 15.0


class LoopTimeout:
    """Gives work up after some seconds, as ``asyncio.timeout`` does; seconds in which the loop lagged do not count.

    Where a process has more to do than its core can bear, the answer of a server has often come long before the loop
    reads it. A timeout by the clock would then take a healthy server for one that is away, and a circuit breaker would
    make that worse. How far the loop lags shows in how late it calls what it was to call at a time.

    Args:
        seconds: Time that the work has, of those in which the loop keeps up.
    """

    __slots__ = ("_due", "_handle", "_late", "_left", "_loop", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._late = 0.0
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._wait(self._loop.time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _wait(self, since: float) -> None:
        step = min(self._left, STEP_SECONDS)
        self._left -= step
        self._due = since + step
        self._handle = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._late += late
        if self._left > 0 and self._late < MOST_LATE_SECONDS:
            self._wait(self._due if late < PUNCTUAL_SECONDS else now)
        else:
            # At the end of what is to be done now: if the answer has just been read, the work is done before.
            self._timeout.reschedule(now)
