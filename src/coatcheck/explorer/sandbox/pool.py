"""Assigns tasks to workers: few workers, one task of a namespace at a time, no waiting for another's filter."""

import contextlib
import functools
import os
import signal
import threading
import time
import weakref
import zlib

from coatcheck.errors import CoatcheckError
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import worker_failures as failures
from coatcheck.explorer.sandbox.channel import WorkerGone
from coatcheck.explorer.sandbox.worker_limits import Limits
from coatcheck.explorer.sandbox.worker_process import LoadFailed, Task, WorkerProcess, WorkerUnusable

ATTEMPTS = 2
EXTRA_FACTOR = 4
QUEUE_OPERATIONS = 2
"""Maximum wait for a slot, in operations' timeouts: one that began just before, and the start of a new worker."""

OWN_QUEUE_TIMEOUTS = 5
"""Maximum wait for other calls of the same namespace, in operations' timeouts."""

EXTRA_AFTER = 0.25
"""Seconds for which a task waits for a permanent worker before an extra one is started; most tasks need less."""

_OWN_FAULT = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS}
"""Signals by which native libraries end a process that is out of memory or stack."""


class WorkerPool:
    """Slots with one worker each, which is started at first use and replaced when it is unusable.

    A namespace has a home slot, where its objects are already decoded. While another namespace keeps that slot busy,
    any other idle slot is used, and if none becomes idle soon, an extra one, which ends with its task. Thread-safe.

    ``workers`` are the slots that keep their worker. A namespace has one running task; others of it wait.
    """

    def __init__(self, workers: int, limits: Limits) -> None:
        self.pid = os.getpid()
        self.queue_seconds = QUEUE_OPERATIONS * limits.total
        self.own_queue_seconds = OWN_QUEUE_TIMEOUTS * limits.timeout
        self.most_workers = workers * EXTRA_FACTOR
        self._workers = workers
        self._limits = limits
        self._changed = threading.Condition()
        self._processes: dict[int, WorkerProcess] = {}
        self._busy: set[int] = set()
        self._running: set[str] = set()
        self._closed = False
        self._watches_forks = False

    def run(self, task: Task, namespace: str) -> Answer:
        """Run a task on one of the workers, waiting for a slot at most ``queue_seconds``.

        Raises:
            CoatcheckError: The task's own error, or an exceeded limit.
        """
        slot = self._acquire(namespace)
        try:
            return self._perform(task, slot)
        finally:
            self._release(slot, namespace)

    def pids(self) -> list[int]:
        """Process ids of the current workers."""
        with self._changed:
            return [process.pid for process in self._processes.values()]

    def close(self) -> None:
        """Stop all workers and their tasks. In a forked child, only release them."""
        if os.getpid() != self.pid:
            self._forget()
            return
        with self._changed:
            self._closed = True
            idle = [self._processes.pop(slot) for slot in list(self._processes) if slot not in self._busy]
            working = list(self._processes.values())
            self._changed.notify_all()
        for process in working:
            process.kill()  # its pipes belong to the thread that waits for its answer
        for process in idle:
            process.dispose()

    def _perform(self, task: Task, slot: int) -> Answer:
        seconds = self._limits.total
        for attempt in range(1, ATTEMPTS + 1):
            worker = self._worker(slot)
            healthy = False
            started = time.monotonic()
            try:
                answer = worker.perform(task, seconds)
            except WorkerUnusable as spoiled:
                raise spoiled.error from None
            except LoadFailed as failed:
                healthy = True
                raise failed.error from None
            except CoatcheckError:
                healthy = True
                raise
            except WorkerGone:
                error = self._verdict(worker, last=attempt == ATTEMPTS)
                seconds = max(seconds - (time.monotonic() - started), 0.0) if worker.was_ready() else seconds
                if error is not None:
                    raise error from None
            else:
                healthy = True
                return answer
            finally:
                if not healthy:
                    self._end(slot)
        raise failures.died()

    def _verdict(self, worker: WorkerProcess, *, last: bool) -> CoatcheckError | None:
        """Explain why a worker died; ``None`` if another process may have killed it, so that a retry is justified."""
        code = worker.exit_status()
        if self._closed:
            return failures.closed()
        if code == -signal.SIGALRM:
            return failures.timed_out(self._limits, 0)
        if code in _OWN_FAULT and worker.began:
            return failures.out_of_memory(self._limits)
        if not last:
            return None
        if not worker.was_ready():
            return failures.not_started(
                f"it ended with {code} while starting: its memory limit is too low, or a module is missing"
            )
        # Killed twice: the machine must be out of memory.
        if code == -signal.SIGKILL or code in _OWN_FAULT:
            return failures.out_of_memory(self._limits)
        return failures.died()

    def _worker(self, slot: int) -> WorkerProcess:
        process = self._processes.get(slot)
        if process is not None and process.is_alive():
            return process
        self._end(slot)
        return self._start(slot)

    def _start(self, slot: int) -> WorkerProcess:
        process = WorkerProcess(self._limits, low_priority=slot >= self._workers)
        with self._changed:
            if not self._closed:
                self._processes[slot] = process
                if not self._watches_forks:
                    self._watches_forks = True
                    os.register_at_fork(after_in_child=functools.partial(_forget, weakref.ref(self)))
                return process
        process.dispose()
        raise failures.closed()

    def _end(self, slot: int) -> None:
        with self._changed:
            process = self._processes.pop(slot, None)
        if process is not None:
            process.dispose()

    def _acquire(self, namespace: str) -> int:
        began = time.monotonic()
        own_deadline = began + self.own_queue_seconds
        deadline: float | None = None
        with self._changed:
            while True:
                if self._closed:
                    raise failures.closed()
                now = time.monotonic()
                extra = now - began >= EXTRA_AFTER
                slot = self._free_slot(namespace, self.most_workers if extra else self._workers)
                if slot is not None:
                    self._busy.add(slot)
                    self._running.add(namespace)
                    return slot
                # Tasks of the same namespace are awaited longer than those of others.
                if namespace not in self._running:
                    deadline = deadline or now + self.queue_seconds
                remaining = (deadline or own_deadline) - now
                if remaining <= 0:
                    raise failures.busy(self.own_queue_seconds if deadline is None else self.queue_seconds)
                self._changed.wait(remaining if extra else min(remaining, began + EXTRA_AFTER - now))

    def _free_slot(self, namespace: str, slots: int) -> int | None:
        if namespace in self._running:
            return None
        home: int = zlib.crc32(namespace.encode("utf-8", "surrogatepass")) % self._workers
        candidates: list[int] = [home, *range(slots)]
        return next((slot for slot in candidates if slot not in self._busy), None)

    def _release(self, slot: int, namespace: str) -> None:
        replaced = slot < self._workers and slot not in self._processes and not self._closed
        if replaced:
            # Start the replacement before the next task. If that fails, the next task reports it.
            with contextlib.suppress(CoatcheckError):
                self._start(slot)
        elif slot >= self._workers or self._closed:
            self._end(slot)
        with self._changed:
            self._busy.discard(slot)
            self._running.remove(namespace)
            self._changed.notify_all()

    def _forget(self) -> None:
        # No lock: in a forked child no thread is left to release it.
        processes, self._processes = list(self._processes.values()), {}
        for process in processes:
            process.forget()


def _forget(pool: "weakref.ref[WorkerPool]") -> None:
    alive = pool()
    if alive is not None:
        alive._forget()  # noqa: SLF001
