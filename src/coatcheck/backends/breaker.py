"""A circuit breaker: while a store does not answer, calls fail at once, and it is looked after in the background."""

import inspect
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

from coatcheck.backends.base import ObjectStoreBackend
from coatcheck.errors import ObjectStoreUnavailable

logger = logging.getLogger(__name__)

FAILURES = 3
"""Calls in a row without an answer that open it."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 2.0
"""Between two looks at a store that does not answer: the pause doubles up to the longest."""

_SINGLE = ("ahead", "head", "aset", "aget", "adelete", "touch", "statistics")


class CircuitBreaker:
    """Closed, it lets calls through and counts failures; open, it refuses them until a probe succeeds.

    The probe is made in a thread of its own, which exists only while the breaker is open: no caller waits for it.

    Args:
        probe: Returns if the store answers, else raises `ObjectStoreUnavailable`.
        failures: Failures in a row that open it.
        first_pause: Seconds until the first probe.
        longest_pause: Most seconds between two probes.
    """

    def __init__(
        self,
        probe: Callable[[], Any],
        *,
        failures: int = FAILURES,
        first_pause: float = FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._probe = probe
        self._most = failures
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._lock = threading.Lock()
        self._failures = 0
        self._reason = ""
        self._stop: threading.Event | None = None  # while open: ends the thread that probes

    @property
    def is_open(self) -> bool:
        """Whether calls are refused."""
        return self._stop is not None

    def check(self) -> None:
        """Raise `ObjectStoreUnavailable` at once while it is open."""
        if self._stop is not None:
            raise ObjectStoreUnavailable(
                f"The object store is unavailable at the moment; try again in a few seconds. {self._reason}"
            )

    def answered(self) -> None:
        """Count a call that the store answered."""
        self._failures = 0  # a race may lose a count, which delays the opening by a call

    def note(self, error: ObjectStoreUnavailable) -> None:
        """Count a call that failed. What a store refuses is an answer too."""
        if getattr(error, "answered", False):
            self.answered()
            return
        with self._lock:
            self._failures += 1
            if self._failures < self._most or self._stop is not None:
                return
            self._reason = str(error)
            self._stop = threading.Event()
            threading.Thread(target=self._watch, args=(self._stop,), name="coatcheck-breaker", daemon=True).start()
        logger.warning("Calls of the object store fail at once until it answers again. %s", error)

    def stop(self) -> None:
        """Close it, and end the thread that probes."""
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
                    self._reason = str(error)
                    continue
            except Exception:  # the thread must not end while the breaker is open
                logger.exception("The object store cannot be probed")
                continue
            with self._lock:
                if self._stop is stop:
                    self._stop, self._failures = None, 0
                    logger.warning("The object store answers again.")
            return


class BreakerBackend:
    """A backend behind a circuit breaker; it offers the same protocols as the backend inside.

    Args:
        backend: The backend to call.
        options: Arguments of `CircuitBreaker`, by name.

    Attributes:
        backend: The backend inside.
        breaker: The breaker.
    """

    def __init__(self, backend: ObjectStoreBackend, **options: Any) -> None:
        self.backend = backend
        self.blocking = getattr(backend, "blocking", True)
        # Something harmless, for a backend that has no ping.
        probe = getattr(backend, "ping", None) or (lambda: backend.get("coatcheck-probe"))
        self.breaker = CircuitBreaker(probe, **options)
        # Protocols are recognised by the methods that are there, so each is set only if the backend has it.
        offered: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
            **dict.fromkeys(_SINGLE, self._guarded),
            "scan": self._guarded_scan,
            "ascan": self._guarded_ascan,
            "ping": self._probing,
            "aping": self._probing,
            "close": lambda method: method,
            "aclose": lambda method: method,
        }
        for name, guard in offered.items():
            if callable(method := getattr(backend, name, None)):
                setattr(self, name, guard(method))
        self._set = self._guarded(backend.set)
        self._get = self._guarded(backend.get)
        self._delete = self._guarded(backend.delete)

    def __repr__(self) -> str:
        return f"BreakerBackend({self.backend!r})"

    def generate_id(self) -> str:
        """An id of the backend inside."""
        return self.backend.generate_id()

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As the backend inside; at once an `ObjectStoreUnavailable` while the breaker is open."""
        self._set(key, value, ttl_seconds)

    def get(self, key: str) -> bytes | None:
        """As the backend inside; at once an `ObjectStoreUnavailable` while the breaker is open."""
        found: bytes | None = self._get(key)
        return found

    def delete(self, key: str) -> bool:
        """As the backend inside; at once an `ObjectStoreUnavailable` while the breaker is open."""
        return bool(self._delete(key))

    def stop(self) -> None:
        """End the thread that looks after the store, if there is one."""
        self.breaker.stop()

    def _guarded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """``method`` that is not called while the breaker is open."""
        return self._noted(method, self.breaker.check, self.breaker.answered)

    def _probing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """``method`` that is called even while the breaker is open, and closes it when it succeeds."""
        return self._noted(method, _nothing, self.breaker.stop)

    def _noted(
        self, method: Callable[..., Any], before: Callable[[], None], after: Callable[[], None]
    ) -> Callable[..., Any]:
        """``method`` whose failures the breaker hears of; ``after`` is called when it succeeds."""
        note = self.breaker.note

        if inspect.iscoroutinefunction(method):

            @wraps(method)
            async def acall(*args: Any) -> Any:
                before()
                try:
                    result = await method(*args)
                except ObjectStoreUnavailable as error:
                    note(error)
                    raise
                after()
                return result

            return acall

        @wraps(method)
        def call(*args: Any) -> Any:
            before()
            try:
                result = method(*args)
            except ObjectStoreUnavailable as error:
                note(error)
                raise
            after()
            return result

        return call

    def _guarded_scan(self, method: Callable[[str], Iterator[str]]) -> Callable[[str], Iterator[str]]:
        def scan(prefix: str) -> Iterator[str]:
            self.breaker.check()
            try:
                yield from method(prefix)
            except ObjectStoreUnavailable as error:
                self.breaker.note(error)
                raise

        return scan

    def _guarded_ascan(self, method: Callable[[str], AsyncIterator[str]]) -> Callable[[str], AsyncIterator[str]]:
        async def ascan(prefix: str) -> AsyncIterator[str]:
            self.breaker.check()
            try:
                async for key in method(prefix):
                    yield key
            except ObjectStoreUnavailable as error:
                self.breaker.note(error)
                raise

        return ascan


def _nothing() -> None:
    """Stand before what is always let through."""
