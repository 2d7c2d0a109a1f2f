"""A worker process from the parent's side: starts it, sends it tasks, stops it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coatcheck.codec import Metadata
from coatcheck.errors import CoatcheckError
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import worker_failures as failures
from coatcheck.explorer.sandbox.channel import BodyTooLarge, Channel, DeadlinePassed, FrameError
from coatcheck.explorer.sandbox.worker_limits import STARTUP_SECONDS, Limits

BOOTSTRAP = (
    "import gc,json,os,sys;gc.disable();s=json.loads(sys.argv[1]);os.nice(s['nice']);sys.path[:]=s['path'];"
    "from coatcheck.explorer.sandbox.worker import main;main(s['limits'])"
)
EXIT_WAIT_SECONDS = 5.0
LOW_PRIORITY = 7
"""Added to the server's niceness for workers that compete with it: each receives a fifth of its CPU share."""

LONG_SECONDS = 0.25
"""Seconds after which the worker of an operation continues with low priority."""

MOST_CLAIMED = 1e15

Load = Callable[[], tuple[Metadata, bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class Task:
    """One operation on one object; ``load`` returns the object if the worker has not cached it."""

    operation: str
    args: dict[str, Any]
    key: str
    load: Load


class WorkerUnusable(Exception):
    """A task failed in a way that makes its worker unusable.

    Attributes:
        error: The error for the caller.
    """

    def __init__(self, error: CoatcheckError) -> None:
        self.error = error
        super().__init__(str(error))


class LoadFailed(Exception):
    """The task's ``load`` raised; the worker has been notified and stays usable.

    Attributes:
        error: The exception.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


class WorkerProcess:
    """A worker: a new interpreter with an empty environment and three descriptors, none of them ours.

    Starting does not wait: the process warms up in the background.

    ``low_priority``: it starts with low priority, instead of from its first long operation.

    Attributes:
        began: Whether the last task's operation started, so that it may be the cause of the worker's end.

    Raises:
        SandboxFailed: The process could not be started.
    """

    def __init__(self, limits: Limits, *, low_priority: bool = False) -> None:
        self._limits = limits
        self._low_priority = low_priority
        self._ready = False
        self._size = 0.0
        self.began = False
        self._process = _start(limits, LOW_PRIORITY if low_priority else 0)
        if self._process.stdin is None or self._process.stdout is None:
            raise failures.not_started("no pipes")
        self._channel = Channel(self._process.stdin.fileno(), self._process.stdout.fileno())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def perform(self, task: Task, seconds: float) -> Answer:
        """Run a task within ``seconds`` after the worker is ready, not counting the loading of the object.

        Raises:
            CoatcheckError: The task's own error; the worker stays usable.
            LoadFailed: The object could not be loaded; the worker stays usable.
            WorkerUnusable: The worker exceeded a limit or sent a malformed answer, and must be killed.
            WorkerGone: The worker died; see ``exit_status``.
        """
        self.began = False
        try:
            self._become_ready()
            header, body = self._converse(task, time.monotonic() + seconds)
        except DeadlinePassed:
            raise WorkerUnusable(
                failures.timed_out(self._limits, self._size) if self.began else failures.slow()
            ) from None
        except BodyTooLarge:
            raise WorkerUnusable(failures.output_exceeded(self._limits)) from None
        except FrameError:
            raise WorkerUnusable(failures.broken_answer()) from None
        if header.get("status") == "done":
            return _read_answer(header, body, task)
        error = failures.error_from_header(header, self._limits)
        raise error if failures.is_expected(header) else WorkerUnusable(error)

    def _converse(self, task: Task, deadline: float) -> tuple[dict[str, Any], bytes]:
        header = {"operation": task.operation, "args": task.args, "key": task.key}
        try:
            self._channel.send(header, b"", deadline)
        except FrameError:
            raise failures.arguments_too_long() from None
        answer, body = self._channel.receive(0, deadline)
        if answer.get("status") == "missing":
            metadata, payload, took = self._load(task)
            deadline += took
            if not self._channel.send({"metadata": metadata.to_dict()}, payload, deadline):
                answer, _ = self._channel.receive(0, deadline)
                raise WorkerUnusable(failures.error_from_header(answer, self._limits))
            answer, body = self._channel.receive(0, deadline)
        if answer.get("status") == "started":
            self.began = True
            self._size, seconds = _number(answer.get("size")), _number(answer.get("seconds"))
            deadline = min(deadline, time.monotonic() + seconds)
            if not self._channel.is_readable(min(LONG_SECONDS, seconds)):
                self._lower_priority()
            return self._channel.receive(self._limits.output_bytes, deadline)
        return answer, body

    def _lower_priority(self) -> None:
        """Lower the priority of the worker, permanently: only a privileged process may raise a priority again."""
        if not self._low_priority:
            self._low_priority = True
            with contextlib.suppress(OSError):  # it has just died
                os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + LOW_PRIORITY)

    def _load(self, task: Task) -> tuple[Metadata, bytes | memoryview, float]:
        started = time.monotonic()
        try:
            metadata, payload = task.load()
        except BaseException as error:  # noqa: BLE001  # it is raised again by who called
            self._channel.send({"abandon": True}, b"", time.monotonic() + self._limits.total)
            raise LoadFailed(error) from None
        return metadata, payload, time.monotonic() - started

    def _become_ready(self) -> None:
        if self._ready:
            return
        try:
            header, _ = self._channel.receive(0, time.monotonic() + STARTUP_SECONDS)
        except DeadlinePassed:
            raise WorkerUnusable(failures.not_started(f"it was not ready within {STARTUP_SECONDS:g} s")) from None
        if header.get("status") != "ready":
            raise WorkerUnusable(failures.not_started("it did not say that it is ready"))
        self._ready = True

    def exit_status(self) -> int | None:
        """Return the exit code of a process that has just closed its pipes; negative: the signal that ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1.0)
        return None

    def was_ready(self) -> bool:
        """Whether the worker was ever ready."""
        return self._ready

    def kill(self) -> None:
        """Kill the process and reap it; safe while a thread waits for its answer."""
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=EXIT_WAIT_SECONDS)

    def dispose(self) -> None:
        """Kill the process and close the pipes; only for its exclusive user."""
        self.kill()
        self._close_pipes()

    def forget(self) -> None:
        """In a forked child: release a process that belongs to the parent."""
        self._process.returncode = 0  # not our child to wait for
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _number(claimed: Any) -> float:
    """Read a number from the worker, which is untrusted; our own deadline bounds the effect."""
    return float(claimed) if isinstance(claimed, (int, float)) and 0 <= claimed < MOST_CLAIMED else 0.0


def _read_answer(header: dict[str, Any], body: bytes, task: Task) -> Answer:
    try:
        answer = Answer.from_wire(header, body)
    except ValueError:
        raise WorkerUnusable(failures.broken_answer()) from None
    limit = task.args.get("limit")
    if isinstance(limit, int) and len(answer.text) > limit:
        raise WorkerUnusable(failures.broken_answer())
    return answer


def command(limits: Limits, nice: int) -> list[str]:
    """Return the command of a worker."""
    if not sys.executable:
        raise failures.not_started("the path of the Python interpreter is unknown")
    settings = json.dumps({"path": _import_path(), "limits": limits.to_dict(), "nice": nice})
    flags = ["-I", "-S", "-B"] if sys.dont_write_bytecode else ["-I", "-S"]
    return [sys.executable, *flags, "-c", BOOTSTRAP, settings]


def _start(limits: Limits, nice: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and our own code
            command(limits, nice),
            env={},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            close_fds=True,
            # Ctrl-C is for the server alone. Not a new session, because Linux gives each session the same share of the
            # CPUs.
            process_group=0,
        )
    except OSError as error:
        raise failures.not_started(error.strerror or type(error).__name__) from error


def _import_path() -> list[str]:
    """The parent's import path with absolute entries; the path of this package is added at the end if missing."""
    own = str(Path(__file__).resolve().parents[2])
    entries = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]  # noqa: PTH100  # "" is here
    return entries if own in entries else [*entries, own]
