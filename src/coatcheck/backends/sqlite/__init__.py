"""One SQLite file that the processes of a user share."""

from coatcheck.backends.sqlite.errors import SQLiteUnavailable
from coatcheck.backends.sqlite.sqlite_backend import SQLiteBackend

__all__ = ["SQLiteBackend", "SQLiteUnavailable"]
