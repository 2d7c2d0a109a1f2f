"""Our own stdio: a stdout reserved for the protocol, and signals that end the session."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from coatcheck.proxy.upstreams.process import kill_servers, write_to_stderr

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def own_stdout() -> Iterator[int]:
    """Give a descriptor that leads to our stdout while all else that prints there goes to stderr."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield ours
    finally:
        sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)


FORCED_END_GRACE = 5.0
"""Seconds beyond the shutdown timeout after which the process ends whatever is still running."""


@contextmanager
def signals(received: Callable[[int], None], shutdown_timeout: float = 0.0) -> Iterator[None]:
    """Call a function on the running event loop when a signal tells us to end, and make sure that we do.

    Args:
        received: Gets the signal's number.
        shutdown_timeout: Seconds for an orderly end. `FORCED_END_GRACE` later the process and the servers that it
            started are killed, whatever keeps them.
    """
    loop = asyncio.get_running_loop()
    handled = []

    def on_signal(number: int) -> None:
        forced = threading.Timer(shutdown_timeout + FORCED_END_GRACE, _force_end, (number,))
        forced.daemon = True
        forced.start()
        received(number)

    for number in SIGNALS:
        # Signal handlers can only be set in the main thread.
        with suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, on_signal, number)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _force_end(number: int) -> None:
    write_to_stderr(b"coatcheck: ending by force, since not everything ended in time.\n")
    kill_servers()
    os._exit(128 + number)
