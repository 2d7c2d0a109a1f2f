"""Tasks of one conversation that process parsed messages while other messages pass."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import Any, TypeVar, cast

from coatcheck.calls.long_messages import LONG_MESSAGE, LongMessages, Turn
from coatcheck.codec import Chunks, free_chunks
from coatcheck.errors import UpstreamError
from coatcheck.proxy.jsonrpc import parse_long

T = TypeVar("T")

Take = Callable[[Any, bytes], None]
"""Called with the message of a long line, and the line."""

Refuse = Callable[[str], bool]
"""Called with the reason why a line cannot be processed; returns whether that has answered its request."""

MAX_BYTES_IN_PROGRESS = 64 << 20
"""Bytes of lines in progress above which reading pauses."""


class BackgroundTasks:
    """The background tasks of one conversation, each with the line that it works on.

    ``caller`` is the receiver of the messages, for the order of long ones; by default these tasks.

    Attributes:
        size: Bytes of these lines.
    """

    def __init__(self, on_change: Callable[[], None], caller: Hashable = None) -> None:
        self._on_change = on_change
        self._caller = self if caller is None else caller
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._parsed: Chunks = []  # of the message that is currently being handled
        self._turn: Turn | None = None  # the same
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def finish(self) -> None:
        """Wait until all tasks are done, including those that start meanwhile."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def start(self, work: Coroutine[Any, Any, None], size: int) -> "asyncio.Task[None]":
        """Run a task on a line of ``size`` bytes, then free its parsed chunks and end its turn."""
        chunks, self._parsed = self._parsed, []
        turn, self._turn = self._turn, None
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._count(size)

        def ended(done: "asyncio.Task[None]") -> None:
            self._tasks.discard(done)
            self._waiting.discard(done)
            if chunks:
                self._turn = turn
                self.start(free_chunks(chunks), 0)
            elif turn is not None:
                turn.end()
            self._count(-size)

        task.add_done_callback(ended)
        return task

    def _count(self, size: int) -> None:
        self.size += size
        if abs(size) > LONG_MESSAGE:
            LongMessages.of_loop().count(size)
        self._on_change()

    def start_parsing(
        self,
        line: bytes,
        take: Take,
        refuse: Refuse | None = None,
        before: Callable[[], Coroutine[Any, Any, None]] | None = None,
        *,
        of_client: bool = False,
    ) -> None:
        """Parse a long line and pass it to ``take``, yielding to the event loop while it is parsed and freed.

        Args:
            line: The line.
            take: See ``Take``.
            refuse: See ``Refuse``. Without it, the line does not wait for its turn.
            before: Waits for what handling the line would wait for, before its turn.
            of_client: Whether it has its turn among the messages of clients, not among those of servers.
        """
        if refuse is None:
            parsing = self._parse(line, take)
        else:
            messages = LongMessages.of_loop().requests if of_client else LongMessages.of_loop()
            parsing = self._parse_in_turn(line, take, refuse, before, messages)
        task = self.start(parsing, len(line))
        if refuse is not None:
            self._waiting.add(task)

    def drop_waiting(self) -> None:
        """Drop the lines that wait to be parsed, because their client has left."""
        for task in list(self._waiting):
            task.cancel()

    async def _parse_in_turn(
        self,
        line: bytes,
        take: Take,
        refuse: Refuse,
        before: Callable[[], Coroutine[Any, Any, None]] | None,
        messages: LongMessages,
    ) -> None:
        turn: Turn | None = None
        try:
            if before is not None:
                with messages.waiting_for_turn(len(line)):
                    await before()
            turn = await messages.turn(len(line), self._caller)
        except UpstreamError as error:
            if refuse(str(error)):
                return
        finally:
            self._waiting.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        await self._parse(line, take, turn)

    async def _parse(self, line: bytes, take: Take, turn: Turn | None = None) -> None:
        chunks: Chunks = []
        try:
            message = await parse_long(line, chunks)
            self._parsed, self._turn = chunks, turn
            try:
                take(message, line)
            finally:
                chunks, self._parsed = self._parsed, []
                turn, self._turn = self._turn, None
            del message
            await free_chunks(chunks)
        finally:
            if turn is not None:
                turn.end()


async def run_in_daemon_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does not keep the process from ending, unlike those of `asyncio.to_thread`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():  # the wait was cancelled
            return
        if error is None:
            future.set_result(cast("T", result))
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  # raised again where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="background", daemon=True).start()
    return await future


async def finish_even_if_cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Run work to its end although the task that waits for it is cancelled meanwhile, as often as that may be."""
    running = asyncio.ensure_future(work)
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(running)
    running.result()


def failure_of(future: "asyncio.Future[Any]") -> BaseException | None:
    """Return the exception that a future failed with; ``None`` if it did not, or is not done."""
    return future.exception() if future.done() and not future.cancelled() else None


def result_if_ready(future: "asyncio.Future[T]") -> "T | None":
    """Return a future's result; ``None`` if it failed or is not done."""
    return future.result() if future.done() and not future.cancelled() and failure_of(future) is None else None
