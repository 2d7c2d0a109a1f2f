"""Reads files that the user names: bounded, and with a warning about files that other users can change."""

import errno
import logging
import os
import select
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 << 20
"""Longest file of settings, servers, tokens or keys, in bytes."""

PIPE_SECONDS = 60.0
"""Seconds without a byte after which a pipe is given up."""

_PART = 1 << 20


def read_user_file(path: Path, most: int = MAX_FILE_BYTES, *, unsafe: int = 0) -> bytes:
    """Read a file or a pipe.

    Args:
        path: Its path.
        most: Maximum bytes.
        unsafe: The permissions that cause a warning.

    Raises:
        OSError: It cannot be read, has more bytes, or is a pipe into which nothing is written; ``strerror`` says which.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode) and status.st_mode & unsafe:
            mode, removed = stat.S_IMODE(status.st_mode), "go-w" if unsafe & stat.S_IWGRP else "o-w"
            logger.warning("Other users can change the file %s (mode %o): run chmod %s on it.", path, mode, removed)
        ready = select.poll()
        ready.register(file, select.POLLIN)
        content = bytearray()
        while len(content) <= most:
            if not ready.poll(PIPE_SECONDS * 1000):
                raise OSError(errno.ETIMEDOUT, f"it is a pipe, and nothing was written to it for {PIPE_SECONDS:g} s")
            part = os.read(file, _PART)
            if not part:
                return bytes(content)
            content += part
    finally:
        os.close(file)
    raise OSError(errno.EFBIG, f"it has more than {most:,} bytes; check the path")
