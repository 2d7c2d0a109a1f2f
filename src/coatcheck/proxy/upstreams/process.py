"""The process of a wrapped server. This module imports little, because the server starts before slow imports."""

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
from coatcheck.proxy.upstreams.process_ancestry import starts_itself

STDERR_TAIL = 2_000
"""Bytes of the server's stderr that are kept for error messages."""

STDERR_WAIT = 1.0
"""Seconds that output of the server's stderr waits for the reader of ours before it is dropped."""

ANCESTORS = "MCP_WRAP_ANCESTORS"
"""Environment variable with the chain of servers that started a process."""

MAX_NESTING = 16

PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031
_PR_SET_PDEATHSIG = 1
_COERCED_LOCALES = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})


_servers: "weakref.WeakSet[ServerProcess]" = weakref.WeakSet()


_starting: list[Sequence[str]] = []
_postponed: list[Callable[[], None]] = []


def kill_servers() -> None:
    """Kill every running server, with all processes that it started."""
    for server in list(_servers):
        server.signal_group(signal.SIGKILL)


def when_servers_are_known(action: Callable[[], None]) -> None:
    """Call a function now, or once the server that is being started can be killed: a signal may interrupt its start."""
    if _starting:
        _postponed.append(action)
    else:
        action()


class ServerProcess:
    """A server's process in its own process group, with pipes to its stdin, stdout and stderr."""

    def __init__(self, command: Sequence[str], process: subprocess.Popen[bytes]) -> None:
        self.command = tuple(command)
        self.process = process
        self.stderr_tail = b""
        _servers.add(self)
        # A thread: a full stderr must not delay messages.
        self._stderr_copier = threading.Thread(target=self._copy_stderr, name="upstream-stderr", daemon=True)
        self._stderr_copier.start()

    @property
    def name(self) -> str:
        """The name of the command for messages."""
        return excerpt(" ".join(self.command[:1]))

    def remember(self, chunk: bytes) -> None:
        """Keep the last bytes of the server's stderr."""
        self.stderr_tail = (self.stderr_tail + chunk)[-STDERR_TAIL:]

    def _copy_stderr(self) -> None:
        pipe = self.process.stderr
        is_read = True
        with suppress(OSError, ValueError):
            while pipe is not None and (chunk := os.read(pipe.fileno(), 64 * 1024)):
                self.remember(chunk)
                # A server with many log lines must not be blocked repeatedly by a reader that has stopped reading.
                is_read = write_or_drop(2, chunk, STDERR_WAIT if is_read else 0.0)

    def wait_for_stderr(self, seconds: float) -> None:
        """Wait until its stderr has been read completely; blocking."""
        self._stderr_copier.join(seconds)

    def stderr_excerpt(self) -> str:
        """Quote the last lines of its stderr on one bounded line; ``""`` if there are none."""
        lines = self.stderr_tail.decode("utf-8", "replace").strip().splitlines()
        last = " | ".join(line.strip() for line in lines[-3:] if line.strip())
        return quoted(last, 400) if last else ""

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the server and all processes that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Kill the server if it still runs, and close our ends of its pipes."""
        if self.process.poll() is None:
            self.signal_group(signal.SIGKILL)
            self.process.wait()
        self.close()

    def close(self) -> None:
        """Close our ends of its pipes, once its whole process group has ended."""
        _servers.discard(self)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def write_to_stderr(data: bytes) -> None:
    """Write to our stderr, unbuffered and non-blocking: output that its reader does not read immediately is dropped."""
    write_or_drop(2, data)


def write_or_drop(descriptor: int, data: bytes, seconds: float = 0.0) -> bool:
    """Write to a descriptor whose reader may have stopped reading; return whether everything was written.

    It stays in blocking mode, because other programs share it.
    """
    with suppress(OSError):
        while data:
            # A pipe that polls as writable accepts this much without blocking.
            if not select.select([], [descriptor], [], seconds)[1]:
                return False
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
        return True
    return False


class DroppingStderr(io.TextIOBase):
    """A text stream on our stderr that drops output instead of blocking, so that a log line never blocks us."""

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
    """Start an MCP server over stdio.

    Raises:
        UpstreamError: The command is empty, does not exist or is not executable.
    """
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112  # pathlib is slow to load
        raise UpstreamError(
            f'The server "{excerpt(command[0] if command else "")}" could not be started: its working directory '
            f"{excerpt(folder)} does not exist. Correct cwd."
        )
    if not command:
        raise UpstreamError("No command was given. Put the server's command behind --, as in: -- mcp-server-git")
    _starting.append(command)
    try:
        process = subprocess.Popen(  # noqa: S603  # running the user's command is the purpose
            list(command),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            env={**_inherited_environment(), **(environment or {}), ANCESTORS: _ancestors_with(command, folder)},
            cwd=folder,
            preexec_fn=_ties_to_parent(),  # noqa: PLW1509
        )
        server = ServerProcess(command, process)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UpstreamError(
            f'The server "{excerpt(command[0])}" could not be started: {reason}. '
            "Check the command and that it can be found on the PATH."
        ) from error
    finally:
        _starting.remove(command)
        while _postponed and not _starting:
            _postponed.pop()()
    for pipe in (process.stdin, process.stdout):
        _enlarge(pipe.fileno() if pipe is not None else -1)
    return server


def _ancestors_with(command: Sequence[str], folder: str | None) -> str:
    """Return the value for the chain of servers that started this one, itself included.

    Raises:
        UpstreamError: The server is part of its own chain: it would start itself recursively.
    """
    own = f"{zlib.crc32(repr((tuple(command), folder)).encode()):08x}"
    ancestors = os.environ.get(ANCESTORS, "").split()
    if ancestors.count(own) or len(ancestors) >= MAX_NESTING or starts_itself():
        raise UpstreamError(
            f'The server "{excerpt(command[0])}" starts itself: its command runs the same coatcheck wrap again. '
            "Name the server's own command there, or take the entry out of the file of servers."
        )
    return " ".join([*ancestors, own])


def _inherited_environment() -> dict[str, str]:
    """Return our environment without the variable that Python sets for itself in the C locale."""
    ours = dict(os.environ)
    if ours.get("LC_CTYPE") in _COERCED_LOCALES:
        with suppress(OSError), open("/proc/self/environ", "rb") as given:  # noqa: PTH123  # pathlib is slow to load
            if not any(variable.startswith(b"LC_CTYPE=") for variable in given.read().split(b"\0")):
                del ours["LC_CTYPE"]
    return ours


def _enlarge(descriptor: int) -> None:
    """Enlarge a pipe's buffer, so that large messages need fewer writes; a refusal is ignored."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, PIPE_BYTES)


def _ties_to_parent() -> Callable[[], None] | None:
    """Return a function for the child process that ties its life to ours, in case we are killed; Linux only."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None  # The tie is to the calling thread, which must not end before the process.
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
