"""The file of a SQLite store, and the connections to it."""

import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from coatcheck.backends.sqlite.errors import SQLiteUnavailable, error_kind, unavailable
from coatcheck.user_folders import make_private_folder

logger = logging.getLogger(__name__)

APPLICATION_ID = 0x636F6174
"""The application id in the file's header: the letters "coat"."""

SCHEMA_VERSION = 1
PIECES_BITS = 16
"""A value is stored in chunks; the number of a chunk is ``object << PIECES_BITS | position``."""

SECRET_BYTES = 32
_SECRET_TIMEOUT = 5.0
_OWNER_ONLY_FILE = 0o600
_OTHERS = 0o077
_MARK = b"coatcheck"
"""Mark in the lock file: the database belongs to coatcheck, so it may be renamed if it is damaged."""

_LOCK_POLL_SECONDS = 0.01
_LONGEST_LOG_BYTES = 64 * 2**20

# Metadata and bytes of an object are separate, because a changed row is rewritten as a whole.
_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    namespace BLOB NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    expires REAL,
    used REAL NOT NULL
);
CREATE INDEX objects_by_expiry ON objects (expires) WHERE expires IS NOT NULL;
CREATE INDEX objects_by_use ON objects (used, id);
CREATE INDEX objects_by_namespace ON objects (namespace, used, id);
CREATE TABLE pieces (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE namespaces (name BLOB PRIMARY KEY, objects INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER object_added AFTER INSERT ON objects BEGIN
    INSERT OR IGNORE INTO namespaces VALUES (NEW.namespace, 0, 0);
    UPDATE namespaces SET objects = objects + 1, bytes = bytes + NEW.size WHERE name = NEW.namespace;
END;
CREATE TRIGGER object_removed AFTER DELETE ON objects BEGIN
    DELETE FROM pieces WHERE id BETWEEN OLD.id << {PIECES_BITS} AND (OLD.id + 1 << {PIECES_BITS}) - 1;
    UPDATE namespaces SET objects = objects - 1, bytes = bytes - OLD.size WHERE name = OLD.namespace;
    DELETE FROM namespaces WHERE name = OLD.namespace AND objects = 0;
END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # noqa: S608  (numbers of ours)

Identity = tuple[int, int]
"""The identity of the file at a path: device and inode."""


def prepare(path: Path, timeout: float) -> Identity:
    """Create the file if it is missing, check that it is ours, and return its identity.

    Raises:
        SQLiteUnavailable: It is not ours, or cannot be created.
        sqlite3.Error: SQLite cannot use it.
        OSError: The folder or the file cannot be created.
    """
    _make_folder(path.parent)
    with _exclusive_lock(path, timeout) as lock:
        identity = _make_if_missing(path)
        try:
            _recognise(path, timeout)
        except sqlite3.DatabaseError as error:
            if error_kind(error) != "damaged":
                raise
            if os.pread(lock, len(_MARK), 0) != _MARK:
                raise SQLiteUnavailable(path, "foreign") from None
            _rename(path, str(error))
            identity = _make_if_missing(path)
            _recognise(path, timeout)
        os.pwrite(lock, _MARK, 0)
        return identity


def set_aside(path: Path, damaged: Identity, reason: str, timeout: float) -> None:
    """Rename the damaged file, unless another process did; the next open creates a new one."""
    with _exclusive_lock(path, timeout):
        if identity_of(path) == damaged:
            _rename(path, reason)


def _make_folder(folder: Path) -> None:
    """Create the folder with access only for its owner; warn about one in which others can replace files."""
    make_private_folder(folder)
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        logger.warning(
            "Other users can replace files in the folder of the object store %s (mode %o): run chmod go-w on it.",
            folder,
            stat.S_IMODE(mode),
        )


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file, which must exist; ``timeout`` is the maximum wait for a lock, in seconds."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        # Some builds overwrite deleted data with zeros, which needs as much space as the object.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute(f"PRAGMA journal_size_limit = {_LONGEST_LOG_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def identity_of(path: Path) -> Identity | None:
    """The identity of the file at ``path``; ``None`` if there is none."""
    try:
        return _identity(path.stat())
    except FileNotFoundError:
        return None


def persistent_secret(path: Path) -> bytes:
    """Return the persistent random bytes of the file ``path``, stored next to it; create them if they are missing.

    Raises:
        SQLiteUnavailable: They can be neither read nor stored.
    """
    beside = path.with_name(f"{path.name}.secret")
    try:
        _make_folder(path.parent)
        with _exclusive_lock(path, _SECRET_TIMEOUT), _opened(beside, os.O_RDWR | os.O_CREAT) as file:
            found = os.read(file, SECRET_BYTES)
            if len(found) < SECRET_BYTES:
                found = secrets.token_bytes(SECRET_BYTES)
                os.pwrite(file, found, 0)
            return found
    except OSError as error:
        raise unavailable(error, beside) from error


def _make_if_missing(path: Path) -> Identity:
    """Create an empty file if it is missing; check that only the owner has access.

    An existing file is never opened here: closing it would release the locks of SQLite's connections in this process.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY_FILE))
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise SQLiteUnavailable(path, "foreign")
    _check_owner(path, status)
    if status.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)
    return _identity(status)


def _recognise(path: Path, timeout: float) -> None:
    """Initialize an empty file; refuse one of another program or of a later version."""
    with contextlib.closing(connect(path, timeout)) as connection:
        application, version, tables = (
            connection.execute(query).fetchone()[0]
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if application == APPLICATION_ID:
            if version > SCHEMA_VERSION:
                raise SQLiteUnavailable(path, "later")
        elif application or version or tables:
            raise SQLiteUnavailable(path, "foreign")
        else:
            connection.executescript(_SCHEMA)


def _rename(path: Path, reason: str) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%S") + f"-{secrets.token_hex(2)}"
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for ending in ("-wal", "-shm", ""):  # the file itself last: until then it can be opened again
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    logger.warning(
        "The object store in %s is damaged (%s). It was set aside as %s, and a new one is created; "
        "what it kept is not found any more.",
        path,
        reason,
        aside.name,
    )


@contextlib.contextmanager
def _exclusive_lock(path: Path, timeout: float) -> Iterator[int]:
    """Hold the lock under which one process at a time creates, checks or renames the file; yields the lock file."""
    beside = path.with_name(f"{path.name}.lock")
    with _opened(beside, os.O_RDWR | os.O_CREAT) as file:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SQLiteUnavailable(path, "busy") from None
                time.sleep(_LOCK_POLL_SECONDS)
            else:
                break
        yield file  # closing the file releases the lock


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Open one of our files, never through a link, and remove the permissions of others."""
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, _OWNER_ONLY_FILE)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise SQLiteUnavailable(path, "foreign")
        _check_owner(path, status)
        if status.st_mode & _OTHERS:
            os.fchmod(file, stat.S_IMODE(status.st_mode) & ~_OTHERS)
        yield file
    finally:
        os.close(file)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise SQLiteUnavailable(path, "not_ours")


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


_IDLE_CONNECTIONS = 4


class Connections:
    """The connections to a file: each is used by one thread at a time, and a few are cached."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._file: Identity | None = None
        self._process = 0
        self._left_to_parent: list[sqlite3.Connection] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[sqlite3.Connection]:
        """A connection to the current file at the path."""
        file, connection = self._acquire()
        try:
            yield connection
        except BaseException:
            connection.close()  # its transaction is rolled back
            raise
        with self._lock:
            if file == self._file and self._process == os.getpid() and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def set_aside(self, reason: str) -> None:
        """Rename the file, if it is still the one that was used last."""
        with self._lock:
            file = self._file
        if file is not None:
            set_aside(self._path, file, reason, self._timeout)

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _acquire(self) -> tuple[Identity, sqlite3.Connection]:
        with self._lock:
            if self._process != os.getpid():
                # After a fork these belong to the parent: closing them here would release its locks.
                self._left_to_parent.extend(self._idle)
                self._idle, self._file, self._process = [], None, os.getpid()
            if self._file is None or identity_of(self._path) != self._file:
                for connection in self._idle:
                    connection.close()
                self._idle = []
                self._file = prepare(self._path, self._timeout)
            connection = self._idle.pop() if self._idle else connect(self._path, self._timeout)
            return self._file, connection
