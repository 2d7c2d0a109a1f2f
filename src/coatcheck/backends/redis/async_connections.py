"""The asynchronous connections of one event loop to one server, or to the primary that sentinels name."""

import asyncio
import math
from types import TracebackType
from typing import Any

STEP_SECONDS = 0.02
"""Seconds between measurements of the event loop's lag: a large response takes many short iterations."""

PUNCTUAL_SECONDS = 0.005
"""Seconds by which a loop without lag may be late."""

MOST_LATE_SECONDS = 15.0


class LoopTimeout:
    """Cancels work after a timeout, as ``asyncio.timeout`` does; seconds in which the event loop lagged do not count.

    In an overloaded process, a server's response often arrives long before the loop reads it. A timeout by the clock
    would then report a healthy server as unreachable, and the circuit breaker would make that worse. The lag is
    measured by the delay of a timer.

    One instance serves all work of one event loop with the same timeout: one timer for all, which runs only while there
    is work. So work is cancelled up to one step late, and work that ends in time costs almost nothing::

        timeout = LoopTimeout(0.8)
        with timeout():
            await answer
    """

    __slots__ = ("_due", "_late", "_steps", "_steps_each", "_timer", "_working")

    def __init__(self, seconds: float) -> None:
        self._steps_each = math.ceil(seconds / STEP_SECONDS) + 1  # the first of them began before the work did
        self._steps = 0
        self._late = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._working: dict[_Work, None] = {}  # in the order in which they are due, for all have the same time

    def __call__(self) -> "_Work":
        """Return the context of one piece of work, which raises ``TimeoutError`` when the timeout expires."""
        return _Work(self, self._working)

    def begin(self, work: "_Work") -> None:
        """Start the timeout of a piece of work."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._wait(loop, loop.time())
        work.last_step = self._steps + self._steps_each
        work.most_late = self._late + MOST_LATE_SECONDS
        self._working[work] = None

    def _wait(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        self._due = since + STEP_SECONDS
        self._timer = loop.call_at(self._due, self._step, loop)

    def _step(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._working:
            self._timer = None
            return
        now = loop.time()
        late = now - self._due
        self._late += late
        self._steps += 1
        self._wait(loop, self._due if late < PUNCTUAL_SECONDS else now)
        while self._working:
            work = next(iter(self._working))
            if self._steps < work.last_step and self._late < work.most_late:
                break
            del self._working[work]
            # After everything that is ready now: if the answer has just been read, the work ends first.
            work.last_call = loop.call_soon(work.give_up)


class _Work:
    """The context of one piece of work; it cancels by the rules of ``asyncio.timeout``.

    Attributes:
        last_step: The step of the timer at which the time is over.
        most_late: The total lag of the loop at which the time is over in any case.
        last_call: The handle that cancels the work, once its time is over.
    """

    __slots__ = ("_cancelling", "_expired", "_task", "_timeout", "_working", "last_call", "last_step", "most_late")

    last_step: int
    most_late: float

    def __init__(self, timeout: LoopTimeout, working: "dict[_Work, None]") -> None:
        self._timeout = timeout
        self._working = working
        self._expired = False
        self.last_call: asyncio.Handle | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A timeout is for work inside a task.")
        self._task = task
        self._cancelling = task.cancelling()
        self._timeout.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.last_call is None:
            del self._working[self]
            return
        self.last_call.cancel()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def give_up(self) -> None:
        """Cancel the work; its context turns that into a ``TimeoutError``."""
        self._expired = True
        self._task.cancel()


RETRIES = 2
FIRST_PAUSE_SECONDS = 0.02


class Connections:
    """Sends commands over connections of the redis package, and reuses the connections.

    It does the same as the package's own client and pool in half the time, without subscriptions, transactions and
    observers. A command whose connection was refused or lost is sent again. The caller ensures that commands can be
    repeated, limits their concurrency, and sets the timeout.
    """

    def __init__(self, pool: Any) -> None:
        from redis.exceptions import AuthenticationError
        from redis.exceptions import ConnectionError as RedisConnectionError
        from redis.exceptions import TimeoutError as RedisTimeoutError

        self.pool = pool
        self._idle: list[Any] = []
        self._all: list[Any] = []
        self._primary: Any = None
        self._lost, self._refused = RedisConnectionError, AuthenticationError
        self._timed_out = RedisTimeoutError

    async def execute_command(self, *command: Any) -> Any:
        """Send a command and return the raw response."""
        left, pause = RETRIES, FIRST_PAUSE_SECONDS
        while True:
            connection = self._idle.pop() if self._idle else self._new()
            try:
                if not connection.is_connected:
                    await self._connect(connection)
                await connection.send_packed_command(connection.pack_command(*command))
                return await connection.read_response()
            except self._refused:
                raise
            except self._lost:
                await connection.disconnect(nowait=True)
                if not left:
                    raise
            finally:
                self._idle.append(connection)
            await asyncio.sleep(pause)
            left, pause = left - 1, 2 * pause

    async def close_idle(self) -> None:
        """Close the idle connections; they are reopened when they are needed."""
        for connection in list(self._idle):
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            await connection.disconnect()

    def _new(self) -> Any:
        connection = self.pool.make_connection()
        self._all.append(connection)
        return connection

    async def _connect(self, connection: Any) -> None:
        if hasattr(self.pool, "sentinel_manager"):
            await connection.connect()  # queries the sentinels first, each of which has its own timeout
        else:
            await self._connect_in_time(connection)
        primary = getattr(self.pool, "master_address", None)
        if primary != self._primary:
            # The sentinels have named another primary: connections to the previous one are outdated.
            self._primary = primary
            await self.close_idle()

    async def _connect_in_time(self, connection: Any) -> None:
        # The package's own timeout would take a loop that lags for a server that accepts no connections.
        seconds, connection.socket_connect_timeout = connection.socket_connect_timeout, None
        try:
            with LoopTimeout(seconds)():
                await connection.connect()
        except TimeoutError:
            raise self._timed_out("Timeout connecting to server") from None
        finally:
            connection.socket_connect_timeout = seconds
