"""A circuit breaker: while a store is unavailable, calls fail immediately and a thread probes it."""

import logging
import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from coatcheck.backends.adapter import as_backend
from coatcheck.backends.base import Backend, ObjectStoreBackend
from coatcheck.backends.wrapper import BackendWrapper
from coatcheck.errors import ObjectStoreUnavailable, require_numbers

logger = logging.getLogger(__name__)

FAILURES = 3
"""Consecutive calls without a response that open it."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 2.0
"""Seconds between two probes of an unavailable store: the pause doubles up to the longest."""

LOG_AGAIN_AFTER = 600.0
"""Seconds after which a refusal is logged again."""

MOST_REFUSALS = 100
"""Maximum texts of refusals that are kept."""


class CircuitBreaker:
    """While closed, it passes calls and counts failures; while open, it refuses them until a probe succeeds.

    The probe runs in a separate thread, which exists only while the breaker is open, so that no caller waits for it.

    Args:
        probe: Returns if the store is available, else raises `ObjectStoreUnavailable`.
        failures: Failures in a row that open it.
        first_pause: Seconds from opening to the first probe; doubled for each further one.
        longest_pause: Maximum seconds between probes.

    Raises:
        TypeError: An argument is not a number.
        ValueError: One is too small or not finite.
    """

    def __init__(
        self,
        probe: Callable[[], Any],
        *,
        failures: int = FAILURES,
        first_pause: float = FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        require_numbers("CircuitBreaker", 1, failures=failures)
        require_numbers("CircuitBreaker", whole=False, first_pause=first_pause, longest_pause=longest_pause)
        self._probe = probe
        self._most = failures
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._lock = threading.Lock()
        self._failures = 0
        self._reason = ""
        self._refusals: dict[str, float] = {}
        self._stop: threading.Event | None = None  # while open: stops the probing thread

    @property
    def is_open(self) -> bool:
        """Whether calls are refused."""
        return self._stop is not None

    def check(self) -> None:
        """Raise `ObjectStoreUnavailable` while it is open."""
        if self._stop is not None:
            again = "The object store is unavailable at the moment; try again in a few seconds."
            raise ObjectStoreUnavailable(f"{again} {self._reason}", again)

    def answered(self) -> None:
        """Count a call that the store answered."""
        self._failures = 0  # a race may lose a count; then the breaker opens one call later

    def note(self, error: ObjectStoreUnavailable) -> None:
        """Count a call that failed. A refusal of the store is a response too."""
        if getattr(error, "answered", False):
            self.answered()
            self._log_refusal(error.text)
            return
        with self._lock:
            self._failures += 1
            if self._failures < self._most or self._stop is not None:
                return
            self._reason = error.text
            self._stop = threading.Event()
            threading.Thread(target=self._watch, args=(self._stop,), name="coatcheck-breaker", daemon=True).start()
        logger.warning("Calls of the object store fail at once until it answers again. %s", error.text)

    def _log_refusal(self, text: str) -> None:
        """Log why the store refuses calls, such as a changed password, but not the same reason at every call."""
        now = time.monotonic()
        if now - self._refusals.get(text, -math.inf) > LOG_AGAIN_AFTER:
            if len(self._refusals) >= MOST_REFUSALS:
                self._refusals.clear()
            self._refusals[text] = now
            logger.warning("The object store refuses calls. %s", text)

    def stop(self) -> None:
        """Close it, and stop the probing thread."""
        with self._lock:
            stop, self._stop, self._failures = self._stop, None, 0
        if stop is not None:
            stop.set()

    def _watch(self, stop: threading.Event) -> None:
        pause = self._first_pause
        while not stop.wait(pause):
            pause = min(2 * pause, self._longest_pause)
            try:
                self._probe()
            except ObjectStoreUnavailable as error:
                if not getattr(error, "answered", False):
                    self._reason = error.text
                    continue
            except Exception:  # the thread must not end while the breaker is open
                logger.exception("The object store cannot be probed")
                continue
            with self._lock:
                if self._stop is stop:
                    self._stop, self._failures = None, 0
                    logger.warning("The object store answers again.")
            return


class BreakerBackend(BackendWrapper):
    """A backend behind a circuit breaker: while it is open, every call raises `ObjectStoreUnavailable` immediately.

    ``ping`` bypasses an open breaker, and closes it when it succeeds.

    Args:
        backend: The backend to call.
        **options: Arguments of `CircuitBreaker`, by name.

    Attributes:
        breaker: The breaker.
    """

    def __init__(self, backend: ObjectStoreBackend, **options: Any) -> None:
        inside = backend if isinstance(backend, Backend) else as_backend(backend)
        super().__init__(inside)
        # A backend without a ping is probed by a harmless operation.
        probe = inside.ping if callable(getattr(backend, "ping", None)) else lambda: inside.get("coatcheck-probe")
        self.breaker = CircuitBreaker(probe, **options)
        self.guard = _Counted(self.breaker)

    def ping(self) -> None:
        """As the wrapped backend, even while the breaker is open; success closes it."""
        with _Probing(self.breaker):
            self.backend.ping()

    async def aping(self) -> None:
        """As ``ping``."""
        with _Probing(self.breaker):
            await self.backend.aping()

    def close(self) -> None:
        """As the wrapped backend, even while the breaker is open."""
        self.backend.close()

    async def aclose(self) -> None:
        """As ``close``."""
        await self.backend.aclose()

    def stop(self) -> None:
        """Stop the thread that probes the store, if there is one."""
        self.breaker.stop()


class _Counted:
    """The context of a call that is refused while the breaker is open, and counted."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        self._breaker.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._breaker.answered()
        elif isinstance(error, ObjectStoreUnavailable):
            self._breaker.note(error)


class _Probing(_Counted):
    """The context of a call that bypasses the breaker, and closes it when it succeeds."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._breaker.stop()
        elif isinstance(error, ObjectStoreUnavailable):
            self._breaker.note(error)
