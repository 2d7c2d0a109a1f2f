"""The process of a wrapped server. It imports little: the server starts before slow imports."""

import io
import os
import select
import signal
import subprocess
import sys
import threading
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from coatcheck.errors import UpstreamError, excerpt, quoted

STDERR_TAIL = 2_000
"""Bytes of the server's stderr that are remembered for the error message."""

STDERR_WAIT = 1.0
"""Seconds that the server's stderr waits for a reader of ours before it is dropped."""

ANCESTORS = "MCP_WRAP_ANCESTORS"
"""Variable in which a server's process finds the servers that led to it."""

MAX_NESTING = 16

PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031
_PR_SET_PDEATHSIG = 1
_COERCED_LOCALES = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})


_servers: "weakref.WeakSet[ServerProcess]" = weakref.WeakSet()


def kill_servers() -> None:
    """Kill every server that has not been ended yet, with all that it started."""
    for server in list(_servers):
        server.signal_group(signal.SIGKILL)


class ServerProcess:
    """A server's process in a process group of its own, with pipes to its stdin, stdout and stderr."""

    def __init__(self, command: Sequence[str], process: subprocess.Popen[bytes]) -> None:
        self.command = tuple(command)
        self.process = process
        self.stderr_tail = b""
        # A thread: a full stderr must not delay messages.
        self._stderr_copier = threading.Thread(target=self._copy_stderr, name="upstream-stderr", daemon=True)
        self._stderr_copier.start()
        _servers.add(self)

    @property
    def name(self) -> str:
        """The command as a person would recognise it."""
        return excerpt(" ".join(self.command[:1]))

    def remember(self, chunk: bytes) -> None:
        """Keep the last bytes that the server wrote to people."""
        self.stderr_tail = (self.stderr_tail + chunk)[-STDERR_TAIL:]

    def _copy_stderr(self) -> None:
        pipe = self.process.stderr
        with suppress(OSError, ValueError):
            while pipe is not None and (chunk := os.read(pipe.fileno(), 64 * 1024)):
                self.remember(chunk)
                write_or_drop(2, chunk, STDERR_WAIT)

    def wait_for_stderr(self, seconds: float) -> None:
        """Wait until its stderr has been read to the end; blocking."""
        self._stderr_copier.join(seconds)

    def stderr_excerpt(self) -> str:
        """Quote the last lines of its stderr on one bounded line; ``""`` if there are none."""
        lines = self.stderr_tail.decode("utf-8", "replace").strip().splitlines()
        last = " | ".join(line.strip() for line in lines[-3:] if line.strip())
        return quoted(last, 400) if last else ""

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the server and all it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Kill the server if it still runs, and close our ends of its pipes."""
        if self.process.poll() is None:
            self.signal_group(signal.SIGKILL)
            self.process.wait()
        self.close()

    def close(self) -> None:
        """Close our ends of its pipes, once it has ended with all that it started."""
        _servers.discard(self)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def write_to_stderr(data: bytes) -> None:
    """Write to our stderr, unbuffered and without blocking: what its reader does not take at once is dropped."""
    write_or_drop(2, data)


def write_or_drop(descriptor: int, data: bytes, seconds: float = 0.0) -> bool:
    """Write to a descriptor whose reader may have stopped reading; return whether everything was written.

    Args:
        descriptor: Where to write. It stays in blocking mode: other programs share it.
        data: The bytes.
        seconds: Longest wait for the reader.
    """
    with suppress(OSError):
        while data:
            # A pipe that polls as writable takes as much as this without blocking.
            if not select.select([], [descriptor], [], seconds)[1]:
                return False
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
        return True
    return False


class DroppingStderr(io.TextIOBase):
    """A text stream on our stderr that drops what its reader does not take, so that a log line never blocks us."""

    def write(self, text: str) -> int:
        """Write text."""
        write_to_stderr(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor of stderr."""
        return 2

    def isatty(self) -> bool:
        """Whether stderr is a terminal."""
        return os.isatty(2)


def start_server(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: str | None = None
) -> ServerProcess:
    """Start a server that speaks MCP on its stdin and stdout.

    Args:
        command: The program and its arguments.
        environment: Variables that it gets beside ours.
        folder: Its working directory; ours by default.

    Raises:
        UpstreamError: The command is empty, does not exist or may not be run.
    """
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112  # pathlib is slow to load
        raise UpstreamError(
            f'The server "{excerpt(command[0] if command else "")}" could not be started: its working directory '
            f"{excerpt(folder)} does not exist. Correct cwd."
        )
    if not command:
        raise UpstreamError("No command was given. Put the server's command behind --, as in: -- mcp-server-git")
    try:
        process = subprocess.Popen(  # noqa: S603  # running the user's command is the purpose
            list(command),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            env={**_environment_as_given(), **(environment or {}), ANCESTORS: _ancestors_with(command, folder)},
            cwd=folder,
            preexec_fn=_ties_to_parent(),  # noqa: PLW1509
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UpstreamError(
            f'The server "{excerpt(command[0])}" could not be started: {reason}. '
            "Check the command and that it can be found on the PATH."
        ) from error
    for pipe in (process.stdin, process.stdout):
        _enlarge(pipe.fileno() if pipe is not None else -1)
    return ServerProcess(command, process)


def _ancestors_with(command: Sequence[str], folder: str | None) -> str:
    """Return the servers that lead to this one, itself included, as their children are told.

    Raises:
        UpstreamError: The server is among those that led to it: it would start itself without end.
    """
    own = f"{zlib.crc32(repr((tuple(command), folder)).encode()):08x}"
    ancestors = os.environ.get(ANCESTORS, "").split()
    if ancestors.count(own) or len(ancestors) >= MAX_NESTING:
        raise UpstreamError(
            f'The server "{excerpt(command[0])}" starts itself: its command runs the same coatcheck wrap again. '
            "Name the server's own command there, or take the entry out of the file of servers."
        )
    return " ".join([*ancestors, own])


def _environment_as_given() -> dict[str, str]:
    """Return our environment without the variable that Python adds to its own where the locale is C."""
    ours = dict(os.environ)
    if ours.get("LC_CTYPE") in _COERCED_LOCALES:
        with suppress(OSError), open("/proc/self/environ", "rb") as given:  # noqa: PTH123  # pathlib is slow to load
            if not any(variable.startswith(b"LC_CTYPE=") for variable in given.read().split(b"\0")):
                del ours["LC_CTYPE"]
    return ours


def _enlarge(descriptor: int) -> None:
    """Let a pipe hold more, so that large messages need fewer turns; where that is refused it stays as it is."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, PIPE_BYTES)


def _ties_to_parent() -> Callable[[], None] | None:
    """Return what the child does first so that it ends when we are killed without a chance to end it; Linux only."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None  # The tie is to the thread, so one that may end before the process must not make it.
    import ctypes

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)

    return tie
