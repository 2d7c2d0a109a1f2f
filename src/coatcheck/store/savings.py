"""Statistics of the characters that previews save, by server, tool and day, stored in the backend.

Each process writes its counts of a day under its own key, so that processes do not overwrite each other. These keys are
not ids of objects: no caller can name one, and listings of objects do not contain them.
"""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from secrets import token_hex
from typing import NamedTuple

from coatcheck.backends import ObjectStoreBackend, as_backend

PREFIX = "stats:"
DAYS_KEPT = 90
WRITE_AFTER = 1.0
"""Seconds for which counts are collected before they are written."""

MOST_NAMES = 200
LONGEST_NAME = 100
OTHER = "(other)"
"""The name of tools beyond these bounds, and of unlisted ones, whose names a caller may invent."""


class Saving(NamedTuple):
    """The savings of one tool on one day: ``characters`` of results were replaced by ``shown``."""

    day: str
    server: str
    tool: str
    results: int
    characters: int
    shown: int


class Savings:
    """Counts the characters that previews save.

    ``on_close`` registers a function that is called when the container is closed.
    """

    def __init__(
        self, backend: Callable[[], ObjectStoreBackend], on_close: Callable[[Callable[[], None]], object]
    ) -> None:
        self._backend = backend
        self._on_close: Callable[[Callable[[], None]], object] | None = on_close
        self._process = token_hex(8)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._counts: dict[str, dict[tuple[str, str], list[int]]] = {}

    def note(self, server: str, tool: str | None, characters: int, shown: int) -> None:
        """Count a result that ``shown`` characters replaced; a thread writes the counts a little later."""
        names = server[:LONGEST_NAME], OTHER if tool is None or len(tool) > LONGEST_NAME else tool
        with self._lock:
            today = self._counts.setdefault(datetime.now(UTC).date().isoformat(), {})
            if names not in today and len(today) >= MOST_NAMES:
                names = "", OTHER
            counts = today.setdefault(names, [0, 0, 0])
            for position, more in enumerate((1, characters, shown)):
                counts[position] += more
            if self._on_close is not None:  # after the backend was opened, so that it is closed after the last write
                self._on_close(self.write)
                self._on_close = None
            if self._timer is None:
                self._timer = threading.Timer(WRITE_AFTER, self.write)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Write the counts; those that cannot be written are written with the next ones."""
        with self._writing:
            with self._lock:
                if self._timer is None:
                    return  # All is written.
                self._timer.cancel()
                self._timer = None
                days = {
                    day: [[*names, *counts] for names, counts in found.items()] for day, found in self._counts.items()
                }
            try:
                for day, rows in days.items():
                    self._backend().set(f"{PREFIX}{day}:{self._process}", json.dumps(rows).encode(), DAYS_KEPT * 86_400)
            except Exception:  # noqa: BLE001  (whatever a backend raises: figures are no reason to fail)
                return
            with self._lock:
                for day in sorted(self._counts)[:-1]:
                    del self._counts[day]  # It is over, and written.


def savings(backend: ObjectStoreBackend) -> Iterator[Saving]:
    """Return the counts of all processes, in no order; entries that coatcheck did not write are skipped.

    Raises:
        ListingUnsupported: The backend cannot list.
        ObjectStoreUnavailable: The backend is unavailable.
    """
    for key in as_backend(backend).scan(PREFIX):
        day = key.removeprefix(PREFIX).partition(":")[0]
        try:
            rows = json.loads(backend.get(key) or b"[]")
        except ValueError:
            continue
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, list) and [type(value) for value in row] == [str, str, int, int, int]:
                yield Saving(day, *row)
