"""The sandbox as the rest of the package sees it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import worker_failures as failures
from coatcheck.explorer.sandbox.pool import WorkerPool
from coatcheck.explorer.sandbox.worker_process import Task

if TYPE_CHECKING:
    import anyio
    from anyio.lowlevel import RunVar
import os
import weakref
from typing import Any

from coatcheck.explorer.sandbox.worker_limits import MEBIBYTE, Limits
from coatcheck.explorer.sandbox.worker_process import Load


class AsyncScheduler:
    """Lets async callers into a pool. It needs no event loop until it is used, and works on several."""

    def __init__(self) -> None:
        self._for_this_loop: RunVar[_LoopScheduler] | None = None

    async def run(self, pool: WorkerPool, task: Task, namespace: str) -> Answer:
        """Run a task in a worker thread when it is the namespace's turn and a slot is free.

        Raises:
            SandboxTimeout: Its turn did not come.
            CoatcheckError: What the task raised.
        """
        import anyio.to_thread

        turns = self._schedulers(pool)
        async with turns.turn(namespace, pool):
            return await anyio.to_thread.run_sync(
                pool.run, task, namespace, limiter=turns.threads, abandon_on_cancel=True
            )

    def _schedulers(self, pool: WorkerPool) -> "_LoopScheduler":
        from anyio.lowlevel import RunVar

        if self._for_this_loop is None:
            self._for_this_loop = RunVar("coatcheck_sandbox_turns")
        turns = self._for_this_loop.get(None)
        if turns is None:
            turns = _LoopScheduler(pool.most_workers)
            self._for_this_loop.set(turns)
        return turns


class LifoLimiter:
    """A bounded number of entries; of those who wait, the one who came last enters first.

    While more work comes than there are slots, the one that waited longest has the least time left until its deadline:
    in the order of arrival, most calls would wait in vain. So a caller with one call gets in although
    another one has sent many before.
    """

    def __init__(self, entries: int) -> None:
        self._free = entries
        self._waiting: list[anyio.Event] = []

    async def enter(self) -> None:
        """Wait for an entry; to be left by ``leave``."""
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
                self.leave()  # it was given an entry at the same moment
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
    def __init__(self, most_threads: int) -> None:
        import anyio

        self.threads = anyio.CapacityLimiter(most_threads)
        self._slots = LifoLimiter(most_threads)
        self._queues: dict[str, tuple[anyio.Semaphore, int]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, namespace: str, pool: WorkerPool) -> AsyncIterator[None]:
        """Wait for the namespace's own earlier tasks, then, no longer than an operation may take, for a slot."""
        import anyio

        semaphore, waiting = self._queues.get(namespace) or (anyio.Semaphore(pool.tasks_per_namespace), 0)
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
    """Runs operations on objects in worker processes that are ended and replaced when they break a limit.

    Nothing is started before the first use. Workers end with ``close``, when the sandbox is garbage collected, when
    the interpreter ends, and when this process is killed.

    Args:
        workers: Processes that are kept; up to four times as many run while others' tasks keep them busy.
        timeout: Seconds for one operation, once its object is decoded.
        memory_bytes: Address space of each worker; 0 for no limit.
        cache_bytes: Decoded objects that each worker keeps, estimated; 0 for none.
        output_bytes: Largest result of an operation.
        tasks_per_namespace: Operations of one namespace that run at the same time; more of them wait.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        timeout: float = 2.0,
        memory_bytes: int = 1024 * MEBIBYTE,
        cache_bytes: int = 256 * MEBIBYTE,
        output_bytes: int = 128 * MEBIBYTE,
        tasks_per_namespace: int = 1,
    ) -> None:
        if workers < 1 or timeout <= 0 or tasks_per_namespace < 1:
            raise ValueError("A sandbox needs at least one worker, one task per namespace and a timeout above 0 s.")
        self.limits = Limits(timeout, memory_bytes, cache_bytes, output_bytes)
        self._workers = workers
        self._tasks_per_namespace = tasks_per_namespace
        self._schedulers = AsyncScheduler()
        self._open_pool()

    def run(self, operation: str, args: dict[str, Any], *, key: str, namespace: str, load: Load) -> Answer:
        """Run an operation on an object.

        Args:
            operation: A name in ``coatcheck.explorer.operations.OPERATIONS``.
            args: What the operation takes, as JSON.
            key: Names the object among all that ever come to this sandbox; an object never changes.
            namespace: Whose it is.
            load: Returns the object's metadata and payload; called only where the worker does not have it.

        Raises:
            CoatcheckError: The operation's own error; a ``SandboxError`` where it broke a limit.
        """
        return self._pool_of_this_process().run(Task(operation, args, key, load), namespace)

    async def arun(self, operation: str, args: dict[str, Any], *, key: str, namespace: str, load: Load) -> Answer:
        """Run an operation like ``run``, with ``load`` and the waiting in a worker thread.

        The calls of one namespace wait for each other without a thread, so that they take none from other namespaces.
        """
        pool = self._pool_of_this_process()
        task = Task(operation, args, key, load)
        return await self._schedulers.run(pool, task, namespace)

    def pids(self) -> list[int]:
        """Process ids of the workers there are."""
        return self._pool.pids()

    def close(self) -> None:
        """End all workers, also those that work; later calls raise ``SandboxFailed``."""
        self._pool.close()

    def _open_pool(self) -> None:
        self._pool = WorkerPool(self._workers, self.limits, self._tasks_per_namespace)
        weakref.finalize(self, self._pool.close)

    def _pool_of_this_process(self) -> WorkerPool:
        if self._pool.pid != os.getpid():  # after a fork
            self._pool.close()
            self._open_pool()
        return self._pool
