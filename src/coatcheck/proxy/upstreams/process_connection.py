"""A connection to a child process over its stdin and stdout, and the termination of its process group."""

import asyncio
import codecs
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from coatcheck.errors import UpstreamError
from coatcheck.proxy.background_tasks import finish_even_if_cancelled
from coatcheck.proxy.jsonrpc import looks_like_json, without_mark
from coatcheck.proxy.line_streams import MAX_LINE_BYTES, LineReader, LineWriter
from coatcheck.proxy.upstreams.base import OnEnd, OnMessage, OnPressure, no_pressure
from coatcheck.proxy.upstreams.process import ServerProcess, start_server, write_to_stderr

TERMINATE_GRACE = 1.0
"""Seconds between the request to terminate and the kill of a process; some clients wait only two."""

STDIN_GRACE = 0.3
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"{\0", b"\0{")
_POLL = 0.02
STDERR_GRACE = 0.5
"""Seconds to wait for the last bytes of stderr."""


class ProcessConnection:
    """A connection to a child process over its stdin and stdout.

    ``verbose``: output on its stdout that is not a message is copied to stderr.
    """

    sends_separately = is_gateway = unparsed = False

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
        started: ServerProcess | None = None,
        verbose: bool = False,
    ) -> None:
        self._command = command
        self._environment = environment
        self._folder = folder
        self._server = started
        self._verbose = verbose
        self._closed = False
        self._heard = False
        self._strayed = False
        self._is_finishing = False
        self._own_code: int | None = None
        self._fault = ""
        self._ending: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self.name = " ".join(command[:1])

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were not written to its stdin; see `UpstreamConnection`."""
        return self._writer.unsent_bytes if hasattr(self, "_writer") else 0

    @property
    def backlog_bytes(self) -> int:
        """Bytes after the line that is being written to its stdin; see `UpstreamConnection`."""
        return self._writer.backlog_bytes

    @property
    def exit_code(self) -> int:
        """The exit code of the process if it ended on its own; see `UpstreamConnection`."""
        code = self._own_code or 0
        return code if code >= 0 else 128 - code

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading its stdout; see `UpstreamConnection`."""
        if paused:
            self._reader.pause()
        else:
            self._reader.resume()

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start the process unless it is running, and start reading; see `UpstreamConnection`."""
        if self._server is None:
            self._server = start_server(self._command, environment=self._environment, folder=self._folder)
        server = self._server
        stdin, stdout = server.process.stdin, server.process.stdout
        if stdin is None or stdout is None:
            raise UpstreamError("The server was started without pipes.")
        self.name = server.name
        self._on_message, self._on_end = on_message, on_end
        self._writer = LineWriter(stdin.fileno(), on_pressure, lambda: self._end_faulty("closed its stdin"))
        self._reader = LineReader(
            stdout.fileno(),
            self._on_line,
            lambda: self._end_faulty("closed its stdout"),
            on_too_long=lambda: self._end_faulty(f"writes a message of more than {MAX_LINE_BYTES >> 20} MiB"),
            waits=True,
        )
        self._reader.resume()
        self._watching = asyncio.ensure_future(self._watch(server))

    def _on_line(self, line: bytes) -> None:
        line = without_mark(line)
        if looks_like_json(line) and not line.startswith(_UTF_16):
            self._strayed = False
            self._on_message(line, None)
            self._heard = self._heard or not self._strayed
        elif line.startswith(_UTF_16):
            self._end_faulty("writes UTF-16 in place of UTF-8")
        elif line.strip():
            self.stray_output(line)

    def stray_output(self, line: bytes) -> None:
        """Keep the line for an error message; see `UpstreamConnection`."""
        self._strayed = True
        if self._server is not None:
            self._server.remember(line)
        if self._verbose:
            write_to_stderr(line)

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; see `UpstreamConnection`."""
        del message
        self._writer.write(line)
        if not line.endswith(b"\n"):
            self._writer.write(b"\n")  # Appended, it would copy a long line.

    def object_readers(self) -> Mapping[str, str]:
        """Return none; see `UpstreamConnection`."""
        return {}

    def listed_name(self, tool: str) -> str:
        """Return the same name; see `UpstreamConnection`."""
        return tool

    async def finish(self) -> None:
        """Close its stdin once everything is written, and wait for the end of the process; see `UpstreamConnection`."""
        await self._writer.drain()
        self._is_finishing = True
        self._writer.close()
        if self._server is not None and self._server.process.stdin is not None:
            with suppress(OSError):
                self._server.process.stdin.close()
        await self._ended.wait()

    def _end_faulty(self, fault: str) -> None:
        """End a process whose responses cannot arrive any more; it may otherwise live on."""
        if self._server is not None and not self._is_finishing and not self._closed and self._ending is None:
            self._ending = asyncio.ensure_future(self._end(self._server, fault))

    async def _end(self, server: ServerProcess, fault: str) -> None:
        if await _ends_within(server, STDIN_GRACE):
            return
        self._fault = fault
        server.signal_group(signal.SIGTERM)
        if not await _ends_within(server, TERMINATE_GRACE):
            server.signal_group(signal.SIGKILL)

    async def _watch(self, server: ServerProcess) -> None:
        await has_ended(server)
        before = -1
        while not self._reader.has_ended and (before != self._reader.bytes_read or not self._reader.is_reading):
            before = self._reader.bytes_read  # Its last lines may still be in the pipe.
            await asyncio.sleep(0.05)
        self._reader.stop()
        await asyncio.shield(stop_server(server))
        self._own_code = server.process.returncode
        await asyncio.to_thread(server.wait_for_stderr, STDERR_GRACE)
        self._ended.set()
        if not self._closed:
            self._closed = True
            self._on_end(self._describe_end(server))

    def _describe_end(self, server: ServerProcess) -> str:
        code = server.process.returncode or 0
        ended = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        if self._fault:
            ended = f"{self._fault} and was ended"
        stderr = server.stderr_excerpt()
        said = f" It said: {stderr}" if stderr else " It said nothing on stderr."
        if self._heard:
            return f'The server "{self.name}" {ended}.{said}'
        return f'The server "{self.name}" did not start: it {ended} before its first message.{said}'

    async def close(self) -> None:
        """Stop the process and its process group; see `UpstreamConnection`."""
        if self._server is None:
            return
        self._closed = True
        if self._ending is not None:
            self._ending.cancel()
        if hasattr(self, "_watching"):
            self._watching.cancel()
            self._reader.stop()
            self._writer.close()
        # A process that is left half-way to its end would outlive us.
        await finish_even_if_cancelled(stop_server(self._server))


async def has_ended(upstream: ServerProcess) -> None:
    """Wait for the end of the server's process, without reaping it."""
    try:
        descriptor = os.pidfd_open(upstream.process.pid)
    except (AttributeError, OSError):
        while upstream.process.poll() is None:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.25)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def stop_server(upstream: ServerProcess) -> None:
    """Stop a server: close its stdin, then terminate, then kill it, and likewise the rest of its process group."""
    if upstream.process.stdin is not None:
        with suppress(OSError):
            upstream.process.stdin.close()
    if not await _ends_within(upstream, STDIN_GRACE):
        upstream.signal_group(signal.SIGTERM)
        if not await _ends_within(upstream, TERMINATE_GRACE):
            upstream.signal_group(signal.SIGKILL)
            await _ends_within(upstream, TERMINATE_GRACE)
    await _end_group(upstream)
    upstream.close()


async def _ends_within(upstream: ServerProcess, seconds: float) -> bool:
    waited = 0.0
    while upstream.process.poll() is None:
        if waited >= seconds:
            return False
        await asyncio.sleep(_POLL)
        waited += _POLL
    return True


async def _end_group(upstream: ServerProcess) -> None:
    """Stop processes that the server started and left behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        waited = 0.0
        while _group_is_alive(upstream):
            if waited == 0:
                upstream.signal_group(number)
            if waited >= TERMINATE_GRACE:
                break
            await asyncio.sleep(_POLL)
            waited += _POLL


def _group_is_alive(upstream: ServerProcess) -> bool:
    try:
        os.killpg(upstream.process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
