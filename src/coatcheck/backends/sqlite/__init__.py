"""One SQLite file that the processes of a user share."""

from coatcheck.backends.sqlite.backend import SQLiteBackend
from coatcheck.backends.sqlite.errors import SQLiteUnavailable

__all__ = ["SQLiteBackend", "SQLiteUnavailable"]
