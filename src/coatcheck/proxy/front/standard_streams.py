"""Our own stdio: stdout is reserved for the protocol, and signals end the session."""

import asyncio
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from coatcheck.errors import CoatcheckError
from coatcheck.proxy.upstreams.process import kill_servers, write_to_stderr

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def require_stdio() -> None:
    """Check that a client can reach us over stdio.

    Raises:
        CoatcheckError: stdin or stdout was closed when we were started.
    """
    if sys.stdin is None or sys.stdout is None:
        raise CoatcheckError(
            "A client over stdio needs both stdin and stdout, and one of them is closed. Let the client start this "
            "command, or use --transport streamable-http."
        )


@contextmanager
def own_stdout() -> Iterator[int]:
    """Return a descriptor for our stdout, and redirect other output to stderr."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield ours
    finally:
        sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)


SHUTDOWN_TIMEOUT = 10.0
"""Seconds from a signal to the end of the process, by default."""


@contextmanager
def signals(received: Callable[[int], None], shutdown_timeout: Callable[[], float]) -> Iterator[None]:
    """Call a function on the running event loop at a termination signal, and enforce the end of the process.

    A second signal calls the same function; after this block has ended, further signals are ignored.

    ``shutdown_timeout`` returns the seconds from the signal to the end of the process. After that, this process and the
    servers that it started are killed.
    """
    loop = asyncio.get_running_loop()
    ending: list[int] = []
    first: queue.SimpleQueue[int] = queue.SimpleQueue()  # which a signal handler may put items into
    threading.Thread(target=_end_in_time, args=(first, shutdown_timeout), name="forced-end", daemon=True).start()

    def on_signal(number: int, _frame: object) -> None:
        # A handler of Python, not of the loop, so that the timer starts even if the loop is blocked.
        ending.append(number)
        first.put(number)
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(received, number)

    before = {}
    for number in SIGNALS:
        # Signal handlers can only be set in the main thread.
        with suppress(ValueError):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # as nohup requires
            before[number] = signal.signal(number, on_signal)
    try:
        with _woken_by_signals(loop):
            yield
    finally:
        first.put(0)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ending else handler)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let a signal end the loop's wait, also one that arrives between Python's last look for signals and the wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received, sent = socket.socketpair()
    with received, sent:
        for end in (received, sent):
            end.setblocking(False)
        loop.add_reader(received, received.recv, 1)
        before = signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(received)


def _end_in_time(signals_received: "queue.SimpleQueue[int]", shutdown_timeout: Callable[[], float]) -> None:
    if number := signals_received.get():
        time.sleep(shutdown_timeout())
        write_to_stderr(b"coatcheck: ending by force, since not everything ended in time.\n")
        kill_servers()
        os._exit(128 + number)
