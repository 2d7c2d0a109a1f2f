"""Our own stdio: a stdout reserved for the protocol, and signals that end the session."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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


@contextmanager
def signals(received: Callable[[int], None]) -> Iterator[None]:
    """Have the running event loop call a function when we are told to end."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in SIGNALS:
        # Outside the main thread signals belong to another program else.
        with suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, received, number)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
