"""Recognises a process that starts itself through others, whatever environment they give it; on Linux."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

MAX_PARENTS = 100
MAX_WRAPS = 16
"""Maximum number of ``coatcheck wrap`` processes of which each started the next."""

_FORKED_WITHOUT_PROGRAM = 0x40


def starts_itself() -> bool:
    """Whether one of our parent processes runs the same command in the same folder, or too many wrap a server."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, ValueError, IndexError):
        own = os.getpid()
        if int(_status(own)[6]) & _FORKED_WITHOUT_PROGRAM:
            return False  # It has the command line of the process that it was forked from.
        command, folder = _command(own), os.getcwd()  # noqa: PTH109  # pathlib is slow to load
        wraps = 0
        for parent in _parents(own):
            others = _command(parent)
            if others == command and _folder(parent) == folder:
                return True
            wraps += b"wrap" in others and any(b"coatcheck" in part for part in others)
        return wraps >= MAX_WRAPS
    return False


def _parents(process: int) -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        for _ in range(MAX_PARENTS):
            process = int(_status(process)[1])
            if process <= 1:
                return
            yield process


def _status(process: int) -> list[bytes]:
    """Return the fields of a process's status that follow its name."""
    with open(f"/proc/{process}/stat", "rb") as status:  # noqa: PTH123  # pathlib is slow to load
        return status.read().rpartition(b")")[2].split()


def _command(process: int) -> list[bytes]:
    with open(f"/proc/{process}/cmdline", "rb") as command:  # noqa: PTH123
        return command.read().split(b"\0")


def _folder(process: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{process}/cwd")  # noqa: PTH115
    return ""
