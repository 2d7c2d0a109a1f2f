"""Ports of this machine: one that is free, and servers that begin to listen."""

import socket
import subprocess
from collections.abc import Callable

from tests.waiting import wait_until


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether a server takes connections at a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until_serving(
    answers: Callable[[], bool], process: subprocess.Popen[bytes], what: str, log: Callable[[], str] | None = None
) -> None:
    """Wait until a server answers.

    Args:
        answers: Whether it does.
        process: Its process.
        what: What it is, for the message.
        log: Returns what it wrote.

    Raises:
        AssertionError: Its process has ended, or the deadline is over; with the end of its log.
    """
    try:
        wait_until(lambda: answers() or process.poll() is not None, f"{what} answers")
        assert process.poll() is None, f"{what} ended with {process.returncode}"
    except AssertionError as failure:
        if log is not None:
            failure.add_note(log()[-2_000:])
        raise


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Callable[[], str] | None = None) -> None:
    """Wait until a server takes connections; see `wait_until_serving`."""
    wait_until_serving(lambda: is_listening(port), process, f"the server at port {port}", log)
