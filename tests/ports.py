"""Local ports: find a free one, wait for a server to listen."""

import socket
import subprocess
from collections.abc import Callable

from tests.waiting import wait_until


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on a port."""
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
        answers: Returns whether it answers.
        process: Its process.
        what: Its description, for the message.
        log: Returns its output.

    Raises:
        AssertionError: Its process has exited, or the deadline has passed; the message ends with its log.
    """
    try:
        wait_until(lambda: answers() or process.poll() is not None, f"{what} answers")
        assert process.poll() is None, f"{what} ended with {process.returncode}"
    except AssertionError as failure:
        if log is not None:
            failure.add_note(log()[-2_000:])
        raise


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Callable[[], str] | None = None) -> None:
    """Wait until a server accepts connections; see `wait_until_serving`."""
    wait_until_serving(lambda: is_listening(port), process, f"the server on port {port}", log)
