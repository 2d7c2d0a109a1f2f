"""Reading and writing files of settings: nothing is lost, whatever happens in between."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from coatcheck.installer.faults import ConfigurationFault

_BACKUP = ".coatcheck-backup"


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        ConfigurationFault: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationFault(f"{path} cannot be read: {error.strerror}.") from None


def decode(raw: bytes, path: Path) -> str:
    """Give the text of a file; a byte order mark and ends of lines stay in it.

    Raises:
        ConfigurationFault: It is not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationFault(
            f"{path} is not in UTF-8 (byte {error.start} is not); it was left as it is. Save it in UTF-8 and try again."
        ) from None


def backup_path(path: Path) -> Path:
    """Give the place of a file's backup: beside the file that a link leads to."""
    real = path.resolve()
    return real.with_name(real.name + _BACKUP)


def replace(path: Path, expected: bytes, new: bytes) -> None:
    """Exchange a file's content at one stroke; links are followed, permissions stay.

    Args:
        path: The file.
        expected: What must be in it.
        new: What it gets.

    Raises:
        ConfigurationFault: It was changed meanwhile, or cannot be written.
    """
    real = path.resolve()
    if read_bytes(real) != expected:
        raise ConfigurationFault(f"{path} was changed meanwhile; nothing was written. Close the client and try again.")
    write_beside(real, new, like=real)


def write_beside(target: Path, content: bytes, *, like: Path) -> None:
    """Write a file at one stroke, with the permissions of another.

    Raises:
        ConfigurationFault: It cannot be written; the target is as it was.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _take_over(file.fileno(), temporary, like)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise ConfigurationFault(f"{target} cannot be written: {error.strerror}.") from None


def _take_over(descriptor: int, temporary: str, like: Path) -> None:
    """Give a new file permissions and owner of another; where the owner may not be set it is ours."""
    known = like.stat()
    if hasattr(os, "fchown"):
        with suppress(PermissionError):
            os.fchown(descriptor, known.st_uid, known.st_gid)
    Path(temporary).chmod(stat.S_IMODE(known.st_mode))


def set_aside(backup: Path) -> Path:
    """Move an old backup out of the way, to the first free name with a number; nothing is written over."""
    number = 1
    while (free := backup.with_name(f"{backup.name}.{number}")).exists():
        number += 1
    backup.rename(free)
    return free
