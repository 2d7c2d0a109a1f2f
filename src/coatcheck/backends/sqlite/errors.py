"""The errors of the file of a SQLite store: what happened, and what to do."""

import errno
import sqlite3
from pathlib import Path

from coatcheck.errors import ObjectStoreUnavailable, excerpt

_DETAIL = 200

# Kind → what happened and what to do now.
_TEXTS = {
    "full": "cannot grow: the disk or the quota is full. Delete objects or other files, or lower max_total_bytes.",
    "read_only": "cannot be written: the file, its folder or the disk is read-only. Correct the rights or the path.",
    "disk": "cannot be read or written: the disk reports an error. Look at its state and its free space.",
    "busy": "is locked by another process for too long. Try again in a moment.",
    "cannot_open": "cannot be opened: the folder is missing or not accessible. Correct the path (sqlite_path).",
    "foreign": "is a file that coatcheck did not create. Choose another path (sqlite_path); it was left as it is.",
    "not_ours": "belongs to another user. Choose a path of your own (sqlite_path).",
    "later": "was created by a later version of coatcheck. Update this one, or choose another path (sqlite_path).",
    "damaged": "is damaged and could not be set aside. Move the file away.",
    "failed": "could not do what was asked.",
}

_CODES = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_IOERR: "disk",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_PERM: "cannot_open",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
_NUMBERS = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EROFS: "read_only", errno.EIO: "disk"}
_PRIMARY_CODE = 0xFF  # an extended code has the primary one in its lowest byte


class SQLiteUnavailable(ObjectStoreUnavailable):
    """An operation on the file of a SQLite store failed.

    Attributes:
        path: The file.
        kind: The kind of error, one word: full, read_only, disk, busy, cannot_open, foreign, not_ours, later, damaged,
            failed.
    """

    def __init__(self, path: Path, kind: str, detail: str = "") -> None:
        self.path = path
        self.kind = kind
        text = f"The object store in {excerpt(str(path), _DETAIL)} {_TEXTS[kind]}"
        full = f"{text} Details: {excerpt(detail, _DETAIL)}" if detail else text
        super().__init__(full, f"The object store {_TEXTS[kind]}")


class Damaged(sqlite3.DatabaseError):
    """The contents of the file contradict each other, although SQLite reports no error."""


def error_kind(error: Exception) -> str:
    """The kind of an error of sqlite3 or of a file: one word of `SQLiteUnavailable.kind`."""
    if isinstance(error, Damaged):
        return "damaged"
    if isinstance(error, PermissionError):
        return "read_only"
    if isinstance(error, OSError):
        return _NUMBERS.get(error.errno or 0, "cannot_open")
    code = getattr(error, "sqlite_errorcode", None)
    return "failed" if code is None else _CODES.get(code & _PRIMARY_CODE, "failed")


def unavailable(error: Exception, path: Path) -> SQLiteUnavailable:
    """Convert ``error`` to a `SQLiteUnavailable` for the file ``path``."""
    kind = error_kind(error)
    return SQLiteUnavailable(path, kind, str(error) if kind in {"failed", "cannot_open"} else "")
