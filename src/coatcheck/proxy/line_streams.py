"""Non-blocking line streams over file descriptors that copy a long line only once."""

import asyncio
import os
import stat
from collections import deque
from collections.abc import Callable
from io import BytesIO

from coatcheck.calls.long_messages import LONG_MESSAGE, LongMessages, Reading

CHUNK = 1 << 20
MAX_LINE_BYTES = 256 << 20
"""Bytes of a line above which it is not read further: twice the default maximum of an object."""

HIGH_WATER = 4 << 20
"""Bytes in the backlog at which reading from the other side pauses."""


class LineReader:
    """Passes each line on arrival, with its newline, and at the end of the input the rest.

    Args:
        descriptor: The file descriptor.
        on_line: Called with each line.
        on_end: Called at the end of the input.
        on_too_long: Called instead of further calls after more than ``MAX_LINE_BYTES`` without the end of a line; by
            default lines may have any length.
        waits: Whether a long line waits while other long messages take too much memory.
    """

    def __init__(
        self,
        descriptor: int,
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
        *,
        on_too_long: Callable[[], None] | None = None,
        waits: bool = False,
    ) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._on_end = on_end
        self._on_too_long = on_too_long
        self._begun = BytesIO()
        self._loop = asyncio.get_running_loop()
        self._long = Reading(LongMessages.of_loop(), self._continue if waits else None)
        self._reading = False
        self._is_waiting = False
        self._ended = False
        self.bytes_read = 0
        # A regular file is always ready and cannot be watched.
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def resume(self) -> None:
        """Start or resume reading."""
        if self._reading or self._ended:
            return
        self._reading = True
        if not self._is_waiting:
            self._watch()

    def _watch(self) -> None:
        if not self._is_file:
            try:
                self._loop.add_reader(self._descriptor, self._read)
            except PermissionError:  # Nor can the null device.
                self._is_file = True
        if self._is_file:
            self._loop.call_soon(self._read_file)

    @property
    def is_reading(self) -> bool:
        """Whether it is reading, neither paused nor waiting for memory."""
        return self._reading and not self._is_waiting

    @property
    def has_ended(self) -> bool:
        """Whether reading has ended, because the input has ended or `stop` was called."""
        return self._ended

    def pause(self) -> None:
        """Pause reading."""
        if self._reading:
            self._reading = False
            if not self._is_waiting:
                self._unwatch()

    def _unwatch(self) -> None:
        if not self._is_file:
            self._loop.remove_reader(self._descriptor)

    def _continue(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            if self._reading:
                self._watch()

    def stop(self) -> None:
        """Stop reading; it cannot be resumed."""
        self.pause()
        self._ended = True
        self._long.finish()

    def _read_file(self) -> None:
        if self._reading and not self._is_waiting:
            self._read()
            self._loop.call_soon(self._read_file)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.stop()
            if self._begun.tell():
                self._on_line(self._join_line(b""))
            self._on_end()
            return
        self.bytes_read += len(chunk)
        start = 0
        while (end := chunk.find(b"\n", start) + 1) > 0:
            line = chunk[start:end]
            self._on_line(self._join_line(line) if self._begun.tell() else line)
            start = end
        if start < len(chunk):
            self._begun.write(memoryview(chunk)[start:])
            size = self._begun.tell()
            if size > MAX_LINE_BYTES and self._on_too_long is not None:
                self.stop()
                self._begun = BytesIO()
                self._on_too_long()
            elif size > LONG_MESSAGE and not self._long.grow_to(size) and not self._is_waiting:
                self._is_waiting = True
                self._unwatch()

    def _join_line(self, last: bytes) -> bytes:
        # Returning the value copies nothing; joining parts would.
        begun, self._begun = self._begun, BytesIO()
        begun.write(last)
        self._long.finish()
        return begun.getvalue()


class LineWriter:
    """Writes lines in order, immediately if the other side is ready, else as soon as it is."""

    def __init__(self, descriptor: int, on_pressure: Callable[[], None], on_broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_pressure = on_pressure
        self._on_broken = on_broken
        self._waiting: deque[memoryview] = deque()
        self._loop = asyncio.get_running_loop()
        self._drained = asyncio.Event()
        self._drained.set()
        self.unsent_bytes = 0
        self.is_broken = False
        self.fault: OSError | None = None
        # A terminal shares its mode with other programs, and a file never blocks: both keep their mode.
        mode = os.fstat(descriptor).st_mode
        self._was_blocking = os.get_blocking(descriptor)
        self._watched = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if self._watched:
            os.set_blocking(descriptor, False)

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait after the current line: one long line alone is no reason to stop reading."""
        return self.unsent_bytes - len(self._waiting[0]) if self._waiting else 0

    def write(self, line: bytes) -> None:
        """Write a line, including its newline."""
        if self.is_broken:
            return
        if not self._waiting:
            rest = self._write_some(memoryview(line))
            if not rest or self.is_broken:
                return
            self._waiting.append(rest)
            self.unsent_bytes = len(rest)
            self._drained.clear()
            self._loop.add_writer(self._descriptor, self._write_on)
        else:
            self._waiting.append(memoryview(line))
            self.unsent_bytes += len(line)
        self._on_pressure()

    async def drain(self) -> None:
        """Wait until everything has been written, or writing has failed."""
        await self._drained.wait()

    def close(self) -> None:
        """Stop writing and restore the mode of the descriptor."""
        if self.is_broken:
            return
        self.is_broken = True
        self._forget()
        if self._watched and self._was_blocking:
            try:
                os.set_blocking(self._descriptor, True)
            except OSError:
                return

    def _write_some(self, data: memoryview) -> memoryview:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                break
            except InterruptedError:
                continue
            except OSError as error:
                self.fault = error
                self._break()
                break
        return data

    def _write_on(self) -> None:
        while self._waiting:
            before = self._waiting[0]
            rest = self._write_some(before)
            if self.is_broken:
                return
            self.unsent_bytes -= len(before) - len(rest)
            if rest:
                self._waiting[0] = rest
                break
            self._waiting.popleft()
        if not self._waiting:
            self._loop.remove_writer(self._descriptor)
            self._drained.set()
        self._on_pressure()

    def _break(self) -> None:
        self.is_broken = True
        self._forget()
        self._on_broken()

    def _forget(self) -> None:
        if self._waiting:
            self._loop.remove_writer(self._descriptor)
        self._waiting.clear()
        self.unsent_bytes = 0
        self._drained.set()
