"""Events of the store, the sandbox and the calls, for metrics and tracing.

An observer is set once for each store (``Observation.observer``). Without an observer and without tracing, an
operation costs two additional comparisons.
"""

import logging
import sys
from contextlib import AbstractContextManager
from time import perf_counter
from types import ModuleType, TracebackType
from typing import Any, Final, Protocol, Self

from coatcheck.errors import (
    ObjectNotFound,
    ObjectStoreUnavailable,
    ObjectTooLarge,
    SandboxError,
    SandboxMemoryExceeded,
    SandboxOutputExceeded,
    SandboxTimeout,
    quoted_name,
)
from coatcheck.store.savings import Savings

logger = logging.getLogger(__name__)

OK, MISSING, REFUSED, UNAVAILABLE, FAILED = "ok", "missing", "refused", "unavailable", "failed"

PUT, GET, PEEK, DELETE, LIST = "put", "get", "peek", "delete", "list"
OPERATIONS: Final = (PUT, GET, PEEK, DELETE, LIST)

TRACER = "coatcheck"
_TRACE = "opentelemetry.trace"


class Observer(Protocol):
    """Receives events. It must be quick, safe to call from several threads, and must not raise."""

    def store_operation(self, operation: str, outcome: str, seconds: float, size: int) -> None:
        """An operation of the store ended; ``size`` is the number of bytes transferred."""
        ...

    def tool_result(self, tool: str | None, *, kept: bool, saved: int) -> None:
        """A result was replaced by a preview.

        Args:
            tool: Its tool; ``None`` if a caller may have invented the name.
            kept: Whether it was stored.
            saved: Characters that the model did not receive because of the preview.
        """
        ...

    def sandbox_stopped(self, reason: str) -> None:
        """Work in the sandbox exceeded a limit: ``timeout``, ``memory``, ``output`` or ``failed``."""
        ...


class Observation:
    """Forwards the events of one store.

    Attributes:
        observer: Receives the events; ``None`` without one.
    """

    def __init__(self, savings: Savings | None = None) -> None:
        self.observer: Observer | None = None
        self._savings = savings
        self._traced: tuple[Any, Any] = (None, None)

    def watch(self, operation: str) -> "Watch":
        """Return the context manager for an operation of the store."""
        tracer = self._tracer() if _TRACE in sys.modules else None
        if tracer is None and self.observer is None:
            return UNWATCHED
        return _Watching(operation, self.observer, tracer)

    def tool_result(
        self, tool: str | None, *, reference: str | None, characters: int, shown: int, server: str = ""
    ) -> None:
        """Record that a result was replaced by ``shown`` characters; see ``Observer.tool_result``.

        ``reference`` is ``None`` if it could not be stored; ``server`` is the name in its handshake.
        """
        if self._savings is not None:
            self._savings.note(server, tool, characters, shown)
        if self.observer is not None:
            self.observer.tool_result(tool, kept=reference is not None, saved=max(characters - shown, 0))
        # Below the level that the SDK's servers log at by default; `--verbose` shows it.
        if logger.isEnabledFor(logging.DEBUG):
            name, where = quoted_name(tool) if tool else "an unlisted tool", reference or "not kept"
            logger.debug("%s: %s → %s characters, %s", name, f"{characters:,}", f"{shown:,}", where)

    def sandbox_stopped(self, error: SandboxError) -> None:
        """Record that work in the sandbox was stopped."""
        if self.observer is not None:
            self.observer.sandbox_stopped(_reason(error))

    def _tracer(self) -> Any:
        """The tracer, if the host has configured tracing; imports nothing."""
        trace: ModuleType = sys.modules[_TRACE]
        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):  # none has been set
            return None
        known, tracer = self._traced
        if known is not provider:
            tracer = trace.get_tracer(TRACER)
            self._traced = (provider, tracer)
        return tracer


class Watch:
    """The context manager of an operation that is not observed."""

    __slots__ = ()

    def record_bytes(self, size: int) -> None:
        """Record the bytes that the operation transferred."""

    def record_miss(self) -> None:
        """Record that no object was found."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


UNWATCHED: Final = Watch()


class _Watching(Watch):
    """The context manager of an operation that is measured, traced or both."""

    __slots__ = ("_began", "_observer", "_operation", "_outcome", "_size", "_span", "_spanning", "_tracer")

    def __init__(self, operation: str, observer: Observer | None, tracer: Any) -> None:
        self._operation = operation
        self._observer = observer
        self._tracer = tracer
        self._size = 0
        self._outcome = OK
        self._spanning: AbstractContextManager[Any] | None = None

    def record_bytes(self, size: int) -> None:
        self._size = size

    def record_miss(self) -> None:
        self._outcome = MISSING

    def __enter__(self) -> Self:
        if self._tracer is not None:
            # The text of an error is for its caller only: it may name a host or an object.
            self._spanning = self._tracer.start_as_current_span(
                f"object_store {self._operation}", record_exception=False, set_status_on_exception=False
            )
            self._span = self._spanning.__enter__()
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._began
        if kind is not None:
            self._outcome = _outcome(kind)
        if self._observer is not None:
            self._observer.store_operation(self._operation, self._outcome, seconds, self._size)
        if self._spanning is not None:
            self._describe(self._span, kind)
            self._spanning.__exit__(None, None, None)

    def _describe(self, span: Any, kind: type[BaseException] | None) -> None:
        span.set_attributes(
            {
                "coatcheck.operation": self._operation,
                "coatcheck.outcome": self._outcome,
                "coatcheck.bytes": self._size,
            }
        )
        if kind is not None and self._outcome != MISSING:
            span.set_attribute("error.type", kind.__qualname__)
            span.set_status(sys.modules[_TRACE].StatusCode.ERROR)


def _outcome(kind: type[BaseException]) -> str:
    if issubclass(kind, ObjectNotFound):
        return MISSING
    if issubclass(kind, ObjectTooLarge):
        return REFUSED
    return UNAVAILABLE if issubclass(kind, ObjectStoreUnavailable) else FAILED


def _reason(error: SandboxError) -> str:
    kinds = {SandboxTimeout: "timeout", SandboxMemoryExceeded: "memory", SandboxOutputExceeded: "output"}
    return next((reason for kind, reason in kinds.items() if isinstance(error, kind)), "failed")
