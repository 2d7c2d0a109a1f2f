"""The interface of the sandbox for the rest of the package."""

import contextlib
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from coatcheck.errors import CoatcheckError
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import worker_failures as failures
from coatcheck.explorer.sandbox.pool import WorkerPool
from coatcheck.explorer.sandbox.worker_limits import MEBIBYTE, Limits
from coatcheck.explorer.sandbox.worker_process import Load, Task

if TYPE_CHECKING:
    import anyio
    from anyio.lowlevel import RunVar


class LifoLimiter:
    """A capacity limiter in LIFO order: the most recent waiter is served first.

    Under overload, the longest waiter has the least time left until its deadline: in FIFO order, most calls would wait
    in vain. In LIFO order a caller with one call is served although another caller has sent many before.
    """

    def __init__(self, entries: int) -> None:
        self._free = entries
        self._waiting: list[anyio.Event] = []

    async def enter(self) -> None:
        """Wait for a slot, which ``leave`` releases."""
        import anyio

        if self._free:
            self._free -= 1
            return
        event = anyio.Event()
        self._waiting.append(event)
        try:
            await event.wait()
        except BaseException:
            if event.is_set():
                self.leave()  # it received a slot at the same moment
            else:
                self._waiting.remove(event)
            raise

    def leave(self) -> None:
        """Hand the slot to the newest waiter."""
        if self._waiting:
            self._waiting.pop().set()
        else:
            self._free += 1


class _LoopScheduler:
    """Schedules the callers of a pool on one event loop."""

    def __init__(self, most_threads: int) -> None:
        import anyio

        self.threads = anyio.CapacityLimiter(most_threads)
        self._slots = LifoLimiter(most_threads)
        self._queues: dict[str, tuple[anyio.Semaphore, int]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, namespace: str, pool: WorkerPool) -> AsyncIterator[None]:
        """Wait for the namespace's earlier tasks, then for a slot, at most as long as an operation may take."""
        import anyio

        semaphore, waiting = self._queues.get(namespace) or (anyio.Semaphore(1), 0)
        self._queues[namespace] = (semaphore, waiting + 1)
        try:
            async with (
                _acquired(semaphore.acquire, semaphore.release, pool.own_queue_seconds),
                _acquired(self._slots.enter, self._slots.leave, pool.queue_seconds),
            ):
                yield
        finally:
            semaphore, waiting = self._queues[namespace]
            if waiting == 1:
                del self._queues[namespace]
            else:
                self._queues[namespace] = (semaphore, waiting - 1)


@contextlib.asynccontextmanager
async def _acquired(
    acquire: Callable[[], Awaitable[None]], release: Callable[[], None], seconds: float
) -> AsyncIterator[None]:
    import anyio

    with anyio.move_on_after(seconds) as patience:
        await acquire()
    if patience.cancelled_caught:
        raise failures.busy(seconds)
    try:
        yield
    finally:
        release()


class Sandbox:
    """Runs operations on objects in worker processes, which are killed and replaced when they exceed a limit.

    Nothing is started before first use. Workers end with ``close``, when the sandbox is garbage-collected, when the
    interpreter exits, and when this process is killed.

    Args:
        workers: Number of permanent processes; up to four times as many run while tasks of others keep them busy.
        timeout: Seconds for one operation, after its object is decoded.
        memory_bytes: Address space of each worker; 0 for no limit.
        cache_bytes: Estimated bytes of decoded objects that each worker caches; 0 for none.
        output_bytes: Maximum bytes of an operation's result.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        timeout: float = 2.0,
        memory_bytes: int = 1024 * MEBIBYTE,
        cache_bytes: int = 256 * MEBIBYTE,
        output_bytes: int = 128 * MEBIBYTE,
    ) -> None:
        if workers < 1 or timeout <= 0:
            raise ValueError("A sandbox needs at least one worker and a timeout above 0 s.")
        self.limits = Limits(timeout, memory_bytes, cache_bytes, output_bytes)
        self._workers = workers
        self._for_this_loop: RunVar[_LoopScheduler] | None = None
        self._open_pool()

    def run(self, operation: str, args: dict[str, Any], *, key: str, namespace: str, load: Load) -> Answer:
        """Run an operation on an object.

        Args:
            operation: A name in ``coatcheck.explorer.operations.OPERATIONS``.
            args: The operation's arguments, as JSON.
            key: Identifies the object for the lifetime of this sandbox; an object never changes.
            namespace: The object's namespace.
            load: Returns the object's metadata and payload; called only if the worker has not cached it.

        Raises:
            CoatcheckError: The operation's own error; a ``SandboxError`` if it exceeded a limit.
        """
        return self._pool_of_this_process().run(Task(operation, args, key, load), namespace)

    async def arun(self, operation: str, args: dict[str, Any], *, key: str, namespace: str, load: Load) -> Answer:
        """Run an operation like ``run``, with ``load`` and all waiting in a worker thread.

        Calls of one namespace wait for each other without a thread, so that they use none of other namespaces.
        """
        import anyio.to_thread

        pool, task = self._pool_of_this_process(), Task(operation, args, key, load)
        scheduler = self._scheduler(pool)
        async with scheduler.turn(namespace, pool):
            try:
                return await anyio.to_thread.run_sync(
                    pool.run, task, namespace, limiter=scheduler.threads, abandon_on_cancel=True
                )
            except CoatcheckError as error:
                # Its traceback would form a cycle with the thread's future, and hold the object until a collection.
                raise error.with_traceback(None) from None

    def _scheduler(self, pool: WorkerPool) -> _LoopScheduler:
        from anyio.lowlevel import RunVar

        if self._for_this_loop is None:
            self._for_this_loop = RunVar("coatcheck_sandbox_turns")
        scheduler = self._for_this_loop.get(None)
        if scheduler is None:
            scheduler = _LoopScheduler(pool.most_workers)
            self._for_this_loop.set(scheduler)
        return scheduler

    def pids(self) -> list[int]:
        """Process ids of the workers there are."""
        return self._pool.pids()

    def close(self) -> None:
        """Stop all workers, including busy ones; later calls raise ``SandboxFailed``."""
        self._pool.close()

    def _open_pool(self) -> None:
        self._pool = WorkerPool(self._workers, self.limits)
        weakref.finalize(self, self._pool.close)

    def _pool_of_this_process(self) -> WorkerPool:
        if self._pool.pid != os.getpid():  # after a fork
            self._pool.close()
            self._open_pool()
        return self._pool
