"""What a backend must offer, and what it may offer.

A backend keeps bytes under keys for a time. Four methods are required (`ObjectStoreBackend`); everything else is a
small protocol of its own that a backend offers by having the methods. How the rest of coatcheck calls a backend that
lacks something is in `coatcheck.backends.facades`.

Words used below:

- **key**: opaque text, ``"namespace:id"`` or just ``"id"``. A backend may put a prefix of its own before it and must
  keep any two different keys apart, whatever characters they have.
- **value**: immutable bytes, of any length, zero included.
- **ttl_seconds**: how long the value lives, in seconds, fractions included, counted from this ``set``; ``None``
  means for ever, and zero or less means it is gone at once.
"""

import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from coatcheck.backends.url_redaction import redact_url
from coatcheck.errors import WiringError

__all__ = [
    "AsyncBackend",
    "AsyncCloseBackend",
    "AsyncHeadBackend",
    "AsyncPingBackend",
    "AsyncScanBackend",
    "BackendStatistics",
    "CloseBackend",
    "HeadBackend",
    "ObjectStoreBackend",
    "PingBackend",
    "ScanBackend",
    "StatisticsBackend",
    "TouchBackend",
    "redact_url",
    "require_backend",
]


@runtime_checkable
class ObjectStoreBackend(Protocol):
    """The four operations that every backend has; safe to call from several threads at once.

    A store that cannot be reached raises `coatcheck.errors.ObjectStoreUnavailable`, with no secret in its text. So does
    the facade for whatever else a backend raises, with nothing of its text.

    Attributes:
        blocking: Optional. ``False`` says "I never wait for anything: call me on the event loop". A backend without
            this attribute is taken to block and is called in a worker thread from asynchronous code.
    """

    def generate_id(self) -> str:
        """A new object id, ``obj_`` and then letters, digits, ``_`` or ``-``; never the same twice."""
        ...

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Keep ``value`` under ``key``; what was there, and its remaining time, is replaced."""
        ...

    def get(self, key: str) -> bytes | None:
        """The value under ``key``; ``None`` where nothing is, or is any more."""
        ...

    def delete(self, key: str) -> bool:
        """Remove ``key``; whether there was something to remove."""
        ...


@runtime_checkable
class AsyncBackend(Protocol):
    """Asynchronous twins of ``set``, ``get`` and ``delete``; they may be used from several event loops."""

    async def aset(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As ``set``."""
        ...

    async def aget(self, key: str) -> bytes | None:
        """As ``get``."""
        ...

    async def adelete(self, key: str) -> bool:
        """As ``delete``."""
        ...


@runtime_checkable
class HeadBackend(Protocol):
    """Reads the beginning of a value without the rest."""

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes (fewer if the value is shorter); ``None`` where nothing is."""
        ...


@runtime_checkable
class TouchBackend(Protocol):
    """Drops the least recently used values first, and can be told of a use that it does not see."""

    def touch(self, key: str) -> None:
        """Note that ``key`` was used: its value was read before, and a copy of it is looked at now."""
        ...


@runtime_checkable
class AsyncHeadBackend(Protocol):
    """Asynchronous twin of `HeadBackend`."""

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As ``head``."""
        ...


@runtime_checkable
class ScanBackend(Protocol):
    """Names the keys that are there."""

    def scan(self, prefix: str) -> Iterator[str]:
        """Each live key that begins with ``prefix``, once, in no particular order.

        ``prefix`` is literal text. Keys that come or go meanwhile may or may not be named.
        """
        ...


@runtime_checkable
class AsyncScanBackend(Protocol):
    """Asynchronous twin of `ScanBackend`."""

    def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As ``scan``."""
        ...


@runtime_checkable
class PingBackend(Protocol):
    """Says whether the store answers."""

    def ping(self) -> None:
        """Return if the store answers and accepts us, else raise `ObjectStoreUnavailable`."""
        ...


@runtime_checkable
class AsyncPingBackend(Protocol):
    """Asynchronous twin of `PingBackend`."""

    async def aping(self) -> None:
        """As ``ping``."""
        ...


@runtime_checkable
class CloseBackend(Protocol):
    """Holds connections or files that can be given back."""

    def close(self) -> None:
        """Give back what is held; calling it again does nothing."""
        ...


@runtime_checkable
class AsyncCloseBackend(Protocol):
    """Asynchronous twin of `CloseBackend`."""

    async def aclose(self) -> None:
        """As ``close``; also for what belongs to the running event loop."""
        ...


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """What a backend holds and what it let go.

    Attributes:
        objects: Number of objects held.
        bytes: Their size in bytes, values only.
        evictions: Live objects that this process dropped to stay within a bound, since its start.
        expirations: Objects that this process dropped because their time was up, since its start.
    """

    objects: int
    bytes: int
    evictions: int
    expirations: int


@runtime_checkable
class StatisticsBackend(Protocol):
    """Knows what it holds without looking for it."""

    def statistics(self) -> BackendStatistics:
        """What is held now and what was let go so far."""
        ...


def require_backend(candidate: object) -> ObjectStoreBackend:
    """Return ``candidate`` if it has the required methods, else raise `WiringError` that names the missing ones."""
    kind = candidate.__name__ if inspect.isclass(candidate) else type(candidate).__name__
    if inspect.isclass(candidate):
        raise WiringError(f"{kind} is a class where an object is needed: pass {kind}(…).")
    required = ("generate_id", "set", "get", "delete")
    missing = [name for name in required if not callable(getattr(candidate, name, None))]
    if missing:
        raise WiringError(f"{kind} cannot be a backend: it has no {', '.join(missing)}. See ObjectStoreBackend.")
    asynchronous = [name for name in required if inspect.iscoroutinefunction(getattr(candidate, name))]
    if asynchronous:
        raise WiringError(
            f"{kind} cannot be a backend: {', '.join(asynchronous)} must be synchronous. "
            "Name the asynchronous forms aset, aget and adelete and offer them beside the synchronous ones."
        )
    return cast("ObjectStoreBackend", candidate)
