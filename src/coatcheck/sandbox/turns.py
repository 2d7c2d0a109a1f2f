"""Fair turns on an event loop: calls of one namespace queue behind each other, not before everybody else's."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from coatcheck.operations import Answer
from coatcheck.sandbox import failures
from coatcheck.sandbox.pool import WorkerPool
from coatcheck.sandbox.process import Task

if TYPE_CHECKING:
    from anyio.lowlevel import RunVar


class Turns:
    """Lets async callers into a pool. It needs no event loop until it is used, and works on several."""

    def __init__(self) -> None:
        self._of_this_loop: RunVar[_LoopTurns] | None = None

    async def run(self, pool: WorkerPool, task: Task, namespace: str) -> Answer:
        """Run a task in a worker thread when it is the namespace's turn.

        Raises:
            SandboxTimeout: Its turn did not come.
            CoatcheckError: What the task raised.
        """
        import anyio.to_thread

        turns = self._turns(pool)
        async with turns.turn(namespace, pool):
            return await anyio.to_thread.run_sync(
                pool.run, task, namespace, limiter=turns.threads, abandon_on_cancel=True
            )

    def _turns(self, pool: WorkerPool) -> "_LoopTurns":
        from anyio.lowlevel import RunVar

        if self._of_this_loop is None:
            self._of_this_loop = RunVar("coatcheck_sandbox_turns")
        turns = self._of_this_loop.get(None)
        if turns is None:
            turns = _LoopTurns(pool.most_workers)
            self._of_this_loop.set(turns)
        return turns


class _LoopTurns:
    def __init__(self, most_threads: int) -> None:
        import anyio

        self.threads = anyio.CapacityLimiter(most_threads)
        self._queues: dict[str, tuple[anyio.Semaphore, int]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, namespace: str, pool: WorkerPool) -> AsyncIterator[None]:
        import anyio

        semaphore, waiting = self._queues.get(namespace) or (anyio.Semaphore(pool.tasks_per_namespace), 0)
        self._queues[namespace] = (semaphore, waiting + 1)
        try:
            with anyio.move_on_after(pool.queue_seconds) as patience:
                await semaphore.acquire()
            if patience.cancelled_caught:
                raise failures.busy(pool.queue_seconds)
            try:
                yield
            finally:
                semaphore.release()
        finally:
            semaphore, waiting = self._queues[namespace]
            if waiting == 1:
                del self._queues[namespace]
            else:
                self._queues[namespace] = (semaphore, waiting - 1)
