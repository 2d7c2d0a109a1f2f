"""The connections to the file of a SQLite store."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from coatcheck.backends.sqlite import file as sqlite_file
from coatcheck.backends.sqlite.file import Identity

_IDLE_CONNECTIONS = 4


class Connections:
    """The connections to a file: each used by one thread at a time, a few kept for the next."""

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
        """A connection to the file that stands at the path now."""
        file, connection = self._take()
        try:
            yield connection
        except BaseException:
            connection.close()  # whatever it was doing is rolled back
            raise
        with self._lock:
            if file == self._file and self._process == os.getpid() and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def set_aside(self, reason: str) -> None:
        """Have the file renamed, if it is still the one that was used last."""
        with self._lock:
            file = self._file
        if file is not None:
            sqlite_file.set_aside(self._path, file, reason, self._timeout)

    def close(self) -> None:
        """Close those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> tuple[Identity, sqlite3.Connection]:
        with self._lock:
            if self._process != os.getpid():
                # After a fork these belong to the parent: closing them here would take its locks away.
                self._left_to_parent.extend(self._idle)
                self._idle, self._file, self._process = [], None, os.getpid()
            if self._file is None or sqlite_file.identity_of(self._path) != self._file:
                for connection in self._idle:
                    connection.close()
                self._idle = []
                self._file = sqlite_file.prepare(self._path, self._timeout)
            connection = self._idle.pop() if self._idle else sqlite_file.connect(self._path, self._timeout)
            return self._file, connection
