"""Tasks of one conversation that process parsed messages while other messages pass."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, cast

from coatcheck.codec import Chunks, free_chunks
from coatcheck.proxy.jsonrpc import parse_long

T = TypeVar("T")

MAX_BYTES_IN_PROGRESS = 64 << 20
"""Bytes of lines in progress above which reading pauses."""


class BackgroundTasks:
    """The background tasks of one conversation, each with the line that it works on.

    Args:
        on_change: Called when a task starts or ends.

    Attributes:
        size: Bytes of these lines.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._tasks: set[asyncio.Task[None]] = set()
        self._parsed: Chunks = []  # of the message that is currently being handled
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def finish(self) -> None:
        """Wait until all tasks are done, including those that start meanwhile."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def start(self, work: Coroutine[Any, Any, None], size: int) -> "asyncio.Task[None]":
        """Run a task on a line of ``size`` bytes, then free its parsed chunks."""
        chunks, self._parsed = self._parsed, []
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self.size += size
        self._on_change()

        def ended(done: "asyncio.Task[None]") -> None:
            self._tasks.discard(done)
            self.size -= size
            if chunks:
                self.start(free_chunks(chunks), 0)
            self._on_change()

        task.add_done_callback(ended)
        return task

    def start_parsing(self, line: bytes, take: Callable[[Any, bytes], None]) -> None:
        """Parse a long line and pass it to ``take``, yielding to the event loop while it is parsed and freed."""
        self.start(self._parse(line, take), len(line))

    async def _parse(self, line: bytes, take: Callable[[Any, bytes], None]) -> None:
        chunks: Chunks = []
        message = await parse_long(line, chunks)
        self._parsed = chunks
        try:
            take(message, line)
        finally:
            chunks, self._parsed = self._parsed, []
        del message
        await free_chunks(chunks)


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


def result_if_ready(future: "asyncio.Future[T]") -> "T | None":
    """Return a future's result; ``None`` if it failed or is not done."""
    return future.result() if future.done() and not future.cancelled() and future.exception() is None else None
