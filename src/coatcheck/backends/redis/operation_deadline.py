"""The deadline of a whole Redis operation: connecting, handshake, retries and response."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_PIECE_BYTES = 2**20
_LEAST_SECONDS = 0.001  # 0 would mean "do not block"


class Budget(threading.local):
    """The remaining seconds of the running operation of each thread.

    Args:
        seconds: Seconds at the start of an operation, and again after each transferred mebibyte, so that a large value
            may take longer as long as it progresses.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count from now."""
        self._until = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._until = None

    def renew(self) -> None:
        """Restart the deadline."""
        if self._until is not None:
            self._until = time.monotonic() + self._seconds

    def left(self) -> float | None:
        """Remaining seconds, more than 0; ``None`` outside of an operation."""
        return None if self._until is None else max(self._until - time.monotonic(), _LEAST_SECONDS)


def with_deadline(budget: Budget, kind: type) -> type:  # noqa: C901  (four short methods)
    """Create a subclass of a synchronous connection class of the redis package that respects ``budget``.

    The timeouts of the class itself restart at each step of an operation, and are a single timeout for a whole large
    value. They also apply, if they are shorter.
    """

    class DeadlineConnection(kind):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._longest: tuple[float | None, float | None] = (self.socket_timeout, self.socket_connect_timeout)

        def _connect(self) -> Any:
            left = budget.left()
            if left is not None:
                self.socket_connect_timeout: float | None = min(left, self._longest[1] or left)
            return super()._connect()

        def send_packed_command(self, command: Any, check_health: bool = True) -> Any:
            if self._sock is None:
                self.connect()
            items = [command] if isinstance(command, bytes) else command
            return super().send_packed_command(self._in_chunks(items), check_health)

        def read_response(self, *args: Any, **options: Any) -> Any:
            self._limit()
            response = super().read_response(*args, **options)
            if isinstance(response, bytes) and len(response) >= _PIECE_BYTES:
                budget.renew()
            return response

        def _in_chunks(self, items: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
            for item in items:
                whole = memoryview(item)
                for start in range(0, len(whole), _PIECE_BYTES):
                    self._limit()
                    yield whole[start : start + _PIECE_BYTES]
                    if start:
                        budget.renew()

        def _limit(self) -> None:
            left = budget.left()
            if left is not None and self._sock is not None:
                self._sock.settimeout(min(left, self._longest[0] or left))

    DeadlineConnection.__name__ = DeadlineConnection.__qualname__ = kind.__name__
    return DeadlineConnection
