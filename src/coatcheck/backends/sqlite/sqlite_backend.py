"""The backend that stores objects in a file that the processes of a user share."""

import contextlib
import io
import logging
import math
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from coatcheck.backends.base import Backend, BackendStatistics, keys_of
from coatcheck.backends.object_ids import SHARED_FILE_ID_CHARACTERS, short_id
from coatcheck.backends.sqlite.database_file import PIECES_BITS, Connections
from coatcheck.backends.sqlite.disk_space import DiskSpace
from coatcheck.backends.sqlite.errors import Damaged, SQLiteUnavailable, error_kind, unavailable
from coatcheck.errors import ObjectTooLarge, require_numbers
from coatcheck.user_folders import expand_home

PIECE_BYTES = 4 * 2**20
"""Size of the chunks of a value: copying larger ones would block all other threads for too long."""

TOUCH_SECONDS = 1.0
"""Seconds after which a read updates the recorded last use of an object."""

SWEEP_BATCH = 200
_FREE_PAGES, _VACUUM_PAGES = 8_192, 4_096  # with the usual pages 32 MiB and 16 MiB
_OLDEST = "DELETE FROM objects WHERE id = (SELECT id FROM objects WHERE id != ? ORDER BY used, id LIMIT 1)"
_OVERDUE = "DELETE FROM objects WHERE id IN (SELECT id FROM objects WHERE expires <= ? ORDER BY expires LIMIT ?)"
_UNUSED = _OVERDUE.replace("expires", "used")
_OLDEST_OF_ONE = _OLDEST.replace("WHERE id != ?", "WHERE namespace = ? AND id != ?")
_LIVE = "(expires IS NULL OR expires > ?) AND +used > ?"  # the plus makes SQLite search by key, not by use
# Another program may have stored values of other types, and chunks that are too large to be read.
_WHOLE = f"""
SELECT o.id, CAST(o.size AS INTEGER), o.checksum, CAST(o.used AS REAL),
    CASE WHEN typeof(p.data) = 'blob' AND length(p.data) <= {PIECE_BYTES} THEN p.data ELSE x'' END
FROM objects o JOIN pieces p ON p.id BETWEEN o.id << {PIECES_BITS} AND (o.id + 1 << {PIECES_BITS}) - 1
WHERE o.key = ? AND {_LIVE} ORDER BY p.id
"""  # noqa: S608  (numbers and words of ours)

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class _DamagedObjectError(Exception):
    """The bytes of one object differ from those that were written; ``row`` are its number and its checksum."""

    def __init__(self, row: tuple[int, int]) -> None:
        self.row = row
        super().__init__(row)


class SQLiteBackend(Backend):
    """Stores objects in a SQLite file, with bounds and LRU eviction.

    Any number of threads and processes may share the file. ``set``, ``get`` and ``touch`` count as use, with a
    resolution of a second; ``head`` and ``scan`` do not. Objects that have expired, or were unused for ``max_idle``,
    read as missing and are freed by later ``set`` calls; each process that shares the file applies its own
    ``max_idle``. A damaged file is renamed, which is logged, and a new one is created; a deleted file is created again.
    Nothing is opened before the first operation. The namespace of a key is the part before its last ``:``.

    A failed operation raises `SQLiteUnavailable`, an `ObjectStoreUnavailable` with the reason.

    Args:
        path: The file; only its owner can read it and a folder that is created for it.
        max_bytes: Maximum bytes in total, counting values only; 0 means no bound, as for the other three.
        max_namespace_objects: Maximum objects in one namespace.
        max_namespace_bytes: Maximum bytes in one namespace.
        max_idle: Seconds after which an unused object expires.
        timeout: Seconds to wait for other processes that are writing.
        clock: Returns seconds since the epoch; the system clock, because the file outlives processes.

    Raises:
        TypeError: A bound or ``timeout`` is not a number.
        ValueError: One is negative or not finite.
    """

    shared = True

    def __init__(
        self,
        path: Path | str,
        *,
        max_bytes: int = 0,
        max_namespace_objects: int = 0,
        max_namespace_bytes: int = 0,
        max_idle: float = 0.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_numbers(
            "SQLiteBackend",
            max_bytes=max_bytes,
            max_namespace_objects=max_namespace_objects,
            max_namespace_bytes=max_namespace_bytes,
        )
        require_numbers("SQLiteBackend", whole=False, max_idle=max_idle, timeout=timeout)
        self._path = expand_home(Path(path))
        self._max_bytes = max_bytes
        self._max_namespace_objects = max_namespace_objects
        self._max_namespace_bytes = max_namespace_bytes
        self._max_idle = max_idle or math.inf
        self._touch_seconds = min(TOUCH_SECONDS, self._max_idle / 10)
        self._timeout = timeout
        self._clock = clock
        self._space = DiskSpace(self._path)
        self._connections = Connections(self._path, timeout)
        self._writing = threading.Lock()
        self._evictions = 0  # changed only under the write lock
        self._expirations = 0

    def __repr__(self) -> str:
        return f"SQLiteBackend({str(self._path)!r})"

    def generate_id(self) -> str:
        """``obj_`` and 8 random letters and digits."""
        return short_id(SHARED_FILE_ID_CHARACTERS)

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Store ``value``; raises `ObjectTooLarge` without a change if it can never fit."""
        for limit in (self._max_bytes, self._max_namespace_bytes):
            if limit and len(value) > limit:
                raise ObjectTooLarge(len(value), limit)
        with self._write_lock():
            self._run(lambda connection: self._write(connection, key, memoryview(value), ttl_seconds))

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, now among the most recently used, or ``None``; deletes one that is damaged."""
        try:
            return self._run(lambda connection: self._read(connection, _name(key)))
        except _DamagedObjectError as damaged:
            logger.warning("An object in %s is not what was stored: it is deleted.", self._path)
            row = damaged.row
        with contextlib.suppress(SQLiteUnavailable), self._write_lock():
            self._run(lambda connection: self._drop(connection, row))
        return None

    def delete(self, key: str) -> bool:
        """Delete ``key``; return whether a live object existed."""
        with self._write_lock():
            return self._run(lambda connection: self._remove(connection, _name(key)))

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes, or ``None``; reads only these and does not count as use."""
        return self._run(lambda connection: self._begin(connection, _name(key), max(n, 0)))

    def touch(self, key: str) -> None:
        """Record a use of ``key``, if the file is not locked and no use was recorded within the last second."""
        self._run(lambda connection: self._use(connection, _name(key)))

    def scan(self, prefix: str) -> Iterator[str]:
        """The live keys that start with ``prefix`` at the time of this call."""
        low = _name(prefix)
        query = f"SELECT key FROM objects WHERE key >= ? AND key < ? AND {_LIVE}"  # noqa: S608
        bounds = (low, low + b"\xff", *self._live_bounds())  # no key has this byte, which does not occur in UTF-8
        rows = self._run(lambda connection: connection.execute(query, bounds).fetchall())
        return keys_of(row[0] for row in rows)

    def ping(self) -> None:
        """Return if the file can be read and written, else raise `SQLiteUnavailable`."""
        with self._write_lock():
            self._run(_check_readable)

    def statistics(self) -> BackendStatistics:
        """The current contents of the file, and the objects that this process has dropped."""
        sums = (f"CAST(coalesce(sum({each}), 0) AS INTEGER)" for each in ("objects", "bytes"))
        query = f"SELECT {', '.join(sums)} FROM namespaces"  # noqa: S608
        objects, size = self._run(lambda connection: connection.execute(query).fetchone())
        return BackendStatistics(objects, size, self._evictions, self._expirations)

    def close(self) -> None:
        """Close idle connections; a later operation opens new ones."""
        self._connections.close()

    # Running

    @contextlib.contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Wait for other writers of this process; the file's own lock is only polled at intervals."""
        if not self._writing.acquire(timeout=self._timeout):
            raise SQLiteUnavailable(self._path, "busy")
        try:
            yield
        finally:
            self._writing.release()

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``work``; retry it on a new file if the current one is damaged, or with the reserve on a full disk."""
        try:
            try:
                return self._attempt(work)
            except (sqlite3.DatabaseError, OSError) as error:
                kind = error_kind(error)
                if kind == "damaged":
                    self._connections.set_aside(str(error))
                elif kind not in {"full", "disk"} or not self._space.release_reserve():
                    raise
                try:
                    return self._attempt(work)
                finally:
                    self._space.keep_reserve()
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error, self._path) from error

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._connections.one() as connection:
            return work(connection)

    def _live_bounds(self) -> tuple[float, float]:
        """The parameters of `_LIVE`: now, and the earliest last use of a live object."""
        now = self._clock()
        return now, now - self._max_idle

    # The following methods use one connection.

    def _write(self, connection: sqlite3.Connection, key: str, value: memoryview, ttl_seconds: float | None) -> None:
        now, name = self._clock(), _name(key)
        expires = None if ttl_seconds is None or math.isinf(now + ttl_seconds) else now + ttl_seconds
        namespace = name.rpartition(b":")[0]
        if self._space.is_nearly_full(len(value)):
            with _transaction(connection):
                self._sweep(connection, now)
                self._make_room(connection, namespace, 0, now, coming=len(value))
            self._shrink_file(connection)
            self._space.require(len(value))
        with _transaction(connection):
            connection.execute("DELETE FROM objects WHERE key = ?", (name,))
            if expires is None or expires > now:
                number = _insert(connection, (name, namespace, expires, now), value)
                self._sweep(connection, now)
                self._make_room(connection, namespace, number, now)
        self._shrink_file(connection)

    def _make_room(
        self, connection: sqlite3.Connection, namespace: bytes, newest: int, now: float, coming: int | None = None
    ) -> None:
        """Drop expired objects, then the least recently used, until all bounds are met; the newest object stays.

        ``coming`` is the size of an object that will be written.
        """
        while True:
            if self._exceeds_bounds(connection, namespace, coming):
                dropped = self._sweep(connection, now) or self._evict(connection, _OLDEST_OF_ONE, (namespace, newest))
            elif self._max_bytes and self._total(connection) + (coming or 0) > self._max_bytes:
                dropped = self._sweep(connection, now) or self._evict(connection, _OLDEST, (newest,))
            else:
                return
            if not dropped:
                raise Damaged("the sums of its namespaces are wrong")

    def _sweep(self, connection: sqlite3.Connection, now: float) -> int:
        """Free some expired and unused objects; return their number."""
        freed = _changed(connection, _OVERDUE, (now, SWEEP_BATCH)) + (
            _changed(connection, _UNUSED, (now - self._max_idle, SWEEP_BATCH))
        )
        self._expirations += freed
        return freed

    def _evict(self, connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> int:
        dropped = _changed(connection, query, values)
        self._evictions += dropped
        return dropped

    def _exceeds_bounds(self, connection: sqlite3.Connection, namespace: bytes, coming: int | None) -> bool:
        if not (self._max_namespace_objects or self._max_namespace_bytes):
            return False
        query = "SELECT CAST(objects AS INTEGER), CAST(bytes AS INTEGER) FROM namespaces WHERE name = ?"
        row = connection.execute(query, (namespace,)).fetchone()
        objects, size = row or (0, 0)
        if coming is not None:
            objects, size = objects + 1, size + coming
        return bool(
            (self._max_namespace_objects and objects > self._max_namespace_objects)
            or (self._max_namespace_bytes and size > self._max_namespace_bytes)
        )

    @staticmethod
    def _total(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT CAST(coalesce(sum(bytes), 0) AS INTEGER) FROM namespaces").fetchone()[0])

    def _read(self, connection: sqlite3.Connection, name: bytes) -> bytes | None:
        moment = self._live_bounds()
        # One statement, so that all chunks are consistent.
        rows = connection.execute(_WHOLE, (name, *moment))
        first = rows.fetchone()
        if first is None:
            return None
        number, size, checksum, used, value = first
        if len(value) < size:
            whole = io.BytesIO()
            whole.write(value)
            for row in rows:
                whole.write(row[4])
                if whole.tell() > size:
                    break
            value = whole.getvalue()  # its own memory, not a copy
        rows.close()
        if len(value) != size or zlib.crc32(value) != checksum:
            raise _DamagedObjectError((number, checksum))
        self._touch(connection, number, used, moment[0])
        return bytes(value)

    def _use(self, connection: sqlite3.Connection, name: bytes) -> None:
        moment = self._live_bounds()
        query = f"SELECT id, CAST(used AS REAL) FROM objects WHERE key = ? AND {_LIVE}"  # noqa: S608
        found = connection.execute(query, (name, *moment)).fetchone()
        if found is not None:
            number, used = found
            self._touch(connection, number, used, moment[0])

    def _touch(self, connection: sqlite3.Connection, number: int, used: float, now: float) -> None:
        """Record the use of an object, if possible without waiting: reading does not depend on it."""
        if now - used < self._touch_seconds or not self._writing.acquire(blocking=False):
            return
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("UPDATE objects SET used = ? WHERE id = ?", (now, number))
            connection.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")
        finally:
            self._writing.release()

    def _remove(self, connection: sqlite3.Connection, name: bytes) -> bool:
        query = f"DELETE FROM objects WHERE key = ? AND {_LIVE}"  # noqa: S608
        with _transaction(connection):
            removed = _changed(connection, query, (name, *self._live_bounds()))
        self._shrink_file(connection)
        return removed > 0

    def _drop(self, connection: sqlite3.Connection, row: tuple[int, int]) -> None:
        """Delete a damaged object, unless another process has replaced it."""
        with _transaction(connection):
            _changed(connection, "DELETE FROM objects WHERE id = ? AND checksum = ?", row)
        self._shrink_file(connection)

    def _shrink_file(self, connection: sqlite3.Connection) -> None:
        """Shrink the file in small steps if much of it is unused; in one step if the disk is nearly full."""
        if self._space.is_nearly_full():
            self._space.shrink(connection)
        elif connection.execute("PRAGMA freelist_count").fetchone()[0] > _FREE_PAGES:
            connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")  # execute() would free one page
        self._space.keep_reserve()

    def _begin(self, connection: sqlite3.Connection, name: bytes, n: int) -> bytes | None:
        with _transaction(connection, "DEFERRED"):
            query = f"SELECT id, CAST(size AS INTEGER) FROM objects WHERE key = ? AND {_LIVE}"  # noqa: S608
            row = connection.execute(query, (name, *self._live_bounds())).fetchone()
            if row is None:
                return None
            number, remaining = row[0] << PIECES_BITS, min(n, row[1])
            pieces = []
            while remaining > 0:
                with connection.blobopen("pieces", "data", number, readonly=True) as piece:
                    pieces.append(piece.read(remaining))
                number, remaining = number + 1, remaining - len(pieces[-1])
            return b"".join(pieces)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """A transaction with consistent reads. A failure closes the connection, which rolls back."""
    connection.execute(f"BEGIN {kind}")
    yield
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, facts: tuple[bytes, bytes, float | None, float], value: memoryview) -> int:
    name, namespace, expires, now = facts
    cursor = connection.execute(
        "INSERT INTO objects (key, namespace, size, checksum, expires, used) VALUES (?, ?, ?, ?, ?, ?)",
        (name, namespace, len(value), zlib.crc32(value), expires, now),
    )
    number = cursor.lastrowid or 0
    starts = range(0, max(len(value), 1), PIECE_BYTES)
    connection.executemany(
        "INSERT INTO pieces VALUES (?, ?)",
        (
            ((number << PIECES_BITS) + position, value[start : start + PIECE_BYTES])
            for position, start in enumerate(starts)
        ),
    )
    return number


def _check_readable(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        connection.execute("SELECT id FROM objects LIMIT 1").fetchone()


def _changed(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> int:
    return connection.execute(query, values).rowcount


def _name(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
