"""Keeps a store usable on a full disk: a reserve for deletions, and immediate release of freed space."""

import contextlib
import os
import sqlite3
from pathlib import Path

from coatcheck.backends.sqlite.errors import SQLiteUnavailable

RESERVE_BYTES = 8 * 2**20
"""Bytes of the reserve on a large disk: more than the log between two checkpoints and the writes of a deletion."""

_RESERVE_SHARE, _LEAST_RESERVE_BYTES = 8, 256 * 2**10
"""On a small disk the reserve is this fraction of the free space, but at least what a deletion needs."""

_TIGHT_BYTES = 64 * 2**20
"""Free bytes below which each write empties the log and releases unused pages."""

_LEAST_BYTES = 256 * 2**10
"""Bytes that a write needs besides its value: pages of indexes and of the free list."""

_MOST_PAGES, _LEAST_PAGES = 4_096, 16


class DiskSpace:
    """The space on the disk of a SQLite file.

    A value is written twice, to the log and to the file. A log that cannot be copied into the file grows with each
    write, including deletions, so on a full disk nothing could be deleted. Therefore a value is refused before it is
    written unless there is space for both, and a reserve file is removed if a write finds no space.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name(f"{path.name}.reserve")

    def is_nearly_full(self, size: int = 0) -> bool:
        """Whether the disk may be full before ``size`` bytes are written."""
        return self._free() < _TIGHT_BYTES + 2 * size

    def require(self, size: int) -> None:
        """Raise `SQLiteUnavailable` unless there is room for a value of ``size`` bytes."""
        free = self._free()
        if free < 2 * size + _LEAST_BYTES:
            raise SQLiteUnavailable(
                self._path, "full", f"{2 * size + _LEAST_BYTES:,} bytes are needed, {free:,} are free."
            )

    def keep_reserve(self) -> None:
        """Create or enlarge the reserve, as far as the disk allows."""
        try:
            size = self._reserve.stat().st_size
        except OSError:
            size = 0
        if size >= _LEAST_RESERVE_BYTES:
            return
        self.release_reserve()
        free = self._free()
        size = min(RESERVE_BYTES, max(free // _RESERVE_SHARE, _LEAST_RESERVE_BYTES), free)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            file = os.open(self._reserve, flags, 0o600)
            try:
                os.write(file, bytes(size))
            finally:
                os.close(file)
        except OSError:
            self.release_reserve()

    def release_reserve(self) -> bool:
        """Free the reserve; return whether there was one."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def shrink(self, connection: sqlite3.Connection) -> None:
        """Empty the log and release all unused pages, in steps that need little space themselves."""
        if self._free() < _LEAST_RESERVE_BYTES:
            self.release_reserve()
        with contextlib.suppress(sqlite3.OperationalError):
            page_size = connection.execute("PRAGMA page_size").fetchone()[0]
            while _empty_log(connection) and connection.execute("PRAGMA freelist_count").fetchone()[0]:
                pages = min(max(self._free() // 2 // page_size, _LEAST_PAGES), _MOST_PAGES)
                connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def _free(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_frsize * (disk.f_bavail if os.geteuid() else disk.f_bfree)


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Copy the log into the file and truncate it; return whether all of it was copied."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
