"""The folders of the user: home, cache and data; and the files that the user names."""

import errno
import logging
import os
import select
import stat
import sys
from pathlib import Path

from coatcheck.errors import SettingsError, excerpt

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 << 20
"""Longest file of settings, servers, tokens or keys, in bytes."""

PIPE_SECONDS = 60.0
"""Seconds without a byte after which a pipe is given up."""

_PART = 1 << 20


def home_folder() -> Path:
    """Return the user's home folder.

    Raises:
        SettingsError: There is none: ``HOME`` is not set, and the system does not know the user.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise SettingsError("The user of this process has no home folder: set the variable HOME.") from None


def expand_home(path: Path) -> Path:
    """Replace ``~`` and ``~user`` at the start of a path.

    Raises:
        SettingsError: There is no such user, or the user has no home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        whole, user = excerpt(str(path)), excerpt(path.parts[0])
        raise SettingsError(f"{whole}: there is no home folder {user}. Write the whole path.") from None


def cache_folder() -> Path:
    """Return the folder for what can be created again: the XDG rules, but macOS's own folder there."""
    return _folder("XDG_CACHE_HOME", ".cache", "Caches")


def data_folder() -> Path:
    """Return the folder for the user's data that is not a setting, such as sign-ins."""
    return _folder("XDG_DATA_HOME", ".local/share", "Application Support") / "coatcheck"


def make_private_folder(folder: Path) -> None:
    """Create the folder and those above it that are missing, with access only for their owner (the XDG rules).

    With an umask of 0, others could otherwise replace the folder in one of those above it.
    """
    for each in (*reversed(folder.parents), folder):
        each.mkdir(0o700, exist_ok=True)


def why_no_file(path: Path) -> str:
    """Say why a path is not the file that is needed, for an error."""
    return "is not a file" if path.exists() else "does not exist"


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


def _folder(variable: str, usual: str, on_macos: str) -> Path:
    if sys.platform == "darwin":
        return home_folder() / "Library" / on_macos
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else home_folder() / usual  # the XDG rules: only an absolute path
