"""What previews kept out of contexts, by server, tool and day: counted in each process, and kept in the backend.

Each process writes its counts of a day under a key of its own, so that none overwrites those of another. These keys are
no ids of objects: no caller can name one, and no list of objects has one.
"""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, NamedTuple

from coatcheck.backends import ObjectStoreBackend, as_backend

PREFIX = "stats:"
DAYS_KEPT = 90
WRITE_AFTER = 1.0
"""Seconds that counts wait for more of them before they are written."""

MOST_NAMES = 200
LONGEST_NAME = 100
OTHER = "(other)"
"""The name of tools beyond these bounds, and of those that no server lists: names are cheap to invent."""


class Saving(NamedTuple):
    """What previews of one tool's results saved on one day: ``shown`` of so many ``characters``."""

    day: str
    server: str
    tool: str
    results: int
    characters: int
    shown: int


class Savings:
    """Counts what previews save.

    Args:
        backend: Gives the backend that the counts are written to.
        on_close: Registers what is called when the container is closed.
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
        """Count a result that ``shown`` characters stand for; it is written a little later, by a thread."""
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
        """Write what was counted; what the backend does not take is written with the next counts."""
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
    """Give what all processes have counted, in no order; what was not written by coatcheck is passed over.

    Raises:
        ListingUnsupported: The backend cannot list.
        ObjectStoreUnavailable: It does not answer.
    """
    for key in as_backend(backend).scan(PREFIX):
        day = key.removeprefix(PREFIX).partition(":")[0]
        try:
            rows = json.loads(backend.get(key) or b"[]")
        except ValueError:
            continue
        for row in rows if isinstance(rows, list) else []:
            if _is_saving(row):
                yield Saving(day, *row)


def _is_saving(row: Any) -> bool:
    return isinstance(row, list) and [type(value) for value in row] == [str, str, int, int, int]
