"""The parent's end of a worker's pipes: sends and receives frames, each before a deadline."""

import contextlib
import errno
import fcntl
import json
import math
import os
import select
import struct
import time
from typing import Any

PREFIX = struct.Struct("!IQ")
MAX_HEADER_BYTES = 1024 * 1024


class FrameError(Exception):
    """Bytes are not a frame, or a frame is larger than its reader accepts."""


class BodyTooLarge(FrameError):
    """The body of a frame is larger than its reader accepts."""


def frame_head(header: dict[str, Any], body_bytes: int) -> bytes:
    """Return the first bytes of a frame; ``body_bytes`` bytes must follow.

    Raises:
        FrameError: The header is too large.
    """
    encoded = json.dumps(header, separators=(",", ":")).encode("ascii")
    if len(encoded) > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {len(encoded):,} bytes")
    return PREFIX.pack(len(encoded), body_bytes) + encoded


def read_prefix(prefix: bytes, max_body_bytes: int) -> tuple[int, int]:
    """Return the lengths of header and body.

    Raises:
        FrameError: One of them is too large.
    """
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES:
        raise FrameError("a header that is too large")
    if body_bytes > max_body_bytes:
        raise BodyTooLarge(f"a body of {body_bytes:,} bytes")
    return header_bytes, body_bytes


def read_header(encoded: bytes) -> dict[str, Any]:
    """Decode a header.

    Raises:
        FrameError: It is not a JSON object.
    """
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as error:
        raise FrameError("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise FrameError("a header that is no object")
    return header


PIPE_BYTES = 1024 * 1024
READ_BYTES = 1024 * 1024


class WorkerGone(Exception):
    """The worker has closed its end because it has died."""


class DeadlinePassed(Exception):
    """The worker neither read nor answered in time."""


class Channel:
    """Frames to and from one worker. Not thread-safe.

    Requests are written to one descriptor, answers are read from the other; ``close`` closes both.
    """

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        for descriptor in (requests, answers):
            os.set_blocking(descriptor, False)
            with contextlib.suppress(OSError, AttributeError):  # Linux only, and within the user's quota
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._readable = select.poll()
        self._readable.register(answers, select.POLLIN)
        self._either = select.poll()
        self._either.register(answers, select.POLLIN)
        self._either.register(requests, select.POLLOUT)

    def send(self, header: dict[str, Any], body: bytes | memoryview, deadline: float) -> bool:
        """Write a frame; return ``False`` if the worker answered or died before it had read all of it.

        Raises:
            DeadlinePassed: The worker did not read in time.
            FrameError: The header is too large; nothing was sent.
        """
        head = frame_head(header, len(body))
        return self._write(memoryview(head), deadline) and self._write(memoryview(body), deadline)

    def receive(self, max_body_bytes: int, deadline: float) -> tuple[dict[str, Any], bytes]:
        """Read a frame, all of it before the deadline.

        Raises:
            DeadlinePassed: No answer in time.
            WorkerGone: The worker has died.
            FrameError: The answer is malformed or too large.
        """
        prefix = self._read(PREFIX.size, deadline)
        header_bytes, body_bytes = read_prefix(prefix, max_body_bytes)
        header = read_header(self._read(header_bytes, deadline))
        return header, self._read(body_bytes, deadline)

    def is_readable(self, seconds: float) -> bool:
        """Wait for the start of a frame, or the end of the worker, up to a maximum time."""
        return bool(self._readable.poll(math.ceil(seconds * 1000)))

    def close(self) -> None:
        """Close both descriptors."""
        for descriptor in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _write(self, view: memoryview, deadline: float) -> bool:
        while view:
            try:
                view = view[os.write(self._requests, view) :]
            except BlockingIOError:
                self._wait(self._either, deadline)
                if self._readable.poll(0):
                    return False
            except OSError as error:
                if error.errno == errno.EPIPE:
                    return False
                raise
        return True

    def _read(self, length: int, deadline: float) -> bytes:
        chunks: list[bytes] = []
        missing = length
        while missing:
            try:
                chunk = os.read(self._answers, min(missing, READ_BYTES))
            except BlockingIOError:
                self._wait(self._readable, deadline)
                continue
            if not chunk:
                raise WorkerGone
            chunks.append(chunk)
            missing -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @staticmethod
    def _wait(poll: select.poll, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not poll.poll(math.ceil(remaining * 1000)):
            raise DeadlinePassed
