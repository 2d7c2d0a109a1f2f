"""What a backend must offer, what it may offer, and how the rest of coatcheck calls one that lacks something.

A backend keeps bytes under keys for a time. Four methods are required (`ObjectStoreBackend`); everything else is a
small protocol of its own that a backend offers by having the methods. `SyncFacade` and `AsyncFacade` give every
backend the same face, so that what is missing degrades in one place.

Words used below:

- **key**: opaque text, ``"namespace:id"`` or just ``"id"``. A backend may put a prefix of its own before it and must
  keep any two different keys apart, whatever characters they have.
- **value**: immutable bytes, of any length, zero included.
- **ttl_seconds**: how long the value lives, in seconds, fractions included, counted from this ``set``; ``None``
  means for ever, and zero or less means it is gone at once.
"""

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import anyio.to_thread

from coatcheck.backends.urls import redact_url
from coatcheck.errors import CoatcheckError, ListingUnsupported, ObjectStoreUnavailable, WiringError

logger = logging.getLogger(__name__)

__all__ = [
    "AsyncBackend",
    "AsyncCloseBackend",
    "AsyncFacade",
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
    "SyncFacade",
    "TouchBackend",
    "redact_url",
    "require_backend",
]

Result = TypeVar("Result")


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


class _InOurWords:
    """Makes of what a backend raises an error of ours, for which everybody who stores is prepared."""

    def __init__(self, backend: object) -> None:
        self._kind = type(backend).__name__

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, CoatcheckError):
            logger.debug("The backend %s failed", self._kind, exc_info=error)
            raise ObjectStoreUnavailable(
                f"The object store is unavailable ({self._kind}: {type(error).__name__}). Try again later."
            ) from error


class SyncFacade:
    """Calls any backend from synchronous code; what it lacks degrades as each method says.

    Args:
        backend: The backend to call.
    """

    def __init__(self, backend: ObjectStoreBackend) -> None:
        self.backend = require_backend(backend)
        self._in_our_words = _InOurWords(backend)
        # Which protocols it has is asked once: isinstance() on a protocol costs microseconds each time.
        self._head = backend if isinstance(backend, HeadBackend) else None
        self._touch = backend if isinstance(backend, TouchBackend) else None
        self._scan = backend if isinstance(backend, ScanBackend) else None
        self._ping = backend if isinstance(backend, PingBackend) else None
        self._close = backend if isinstance(backend, CloseBackend) else None

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Keep ``value`` under ``key`` for ``ttl_seconds`` (``None``: for ever)."""
        with self._in_our_words:
            self.backend.set(key, value, ttl_seconds)

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or ``None``."""
        with self._in_our_words:
            return self.backend.get(key)

    def delete(self, key: str) -> bool:
        """Remove ``key``; whether it was there."""
        with self._in_our_words:
            return self.backend.delete(key)

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes under ``key``, or ``None``; cut from the whole value if the backend has no ``head``."""
        with self._in_our_words:
            return self._head.head(key, n) if self._head else _beginning(self.backend.get(key), n)

    def peek(self, key: str, n: int) -> bytes | None:
        """As ``head``, and it counts as a use of the value where the backend has ``touch``."""
        found = self.head(key, n)
        if found is not None and self._touch:
            with self._in_our_words:
                self._touch.touch(key)
        return found

    def scan(self, prefix: str) -> Iterator[str]:
        """Live keys that begin with ``prefix``; raises `ListingUnsupported` at once if the backend has no ``scan``."""
        if self._scan is None:
            raise _no_listing(self.backend)
        with self._in_our_words:
            return self._each(self._scan.scan(prefix))

    def _each(self, keys: Iterator[str]) -> Iterator[str]:
        with self._in_our_words:
            yield from keys

    def ping(self) -> None:
        """Raise `ObjectStoreUnavailable` if the store does not answer; nothing if the backend has no ``ping``."""
        if self._ping:
            with self._in_our_words:
                self._ping.ping()

    def close(self) -> None:
        """Give back what the backend holds; nothing if it has no ``close``."""
        if self._close:
            with self._in_our_words:
                self._close.close()


class AsyncFacade:
    """Calls any backend from asynchronous code without holding the event loop.

    The backend's own asynchronous twin goes first. Without one, the synchronous method runs in a worker thread, or
    directly where the backend declares ``blocking = False``. What neither form offers degrades as in `SyncFacade`.

    Args:
        backend: The backend to call.
    """

    def __init__(self, backend: ObjectStoreBackend) -> None:
        self.backend = require_backend(backend)
        self._sync = SyncFacade(backend)
        self._in_our_words = _InOurWords(backend)
        self._direct = not getattr(backend, "blocking", True)
        self._own = backend if isinstance(backend, AsyncBackend) else None
        self._head = backend if isinstance(backend, AsyncHeadBackend) else None
        self._sync_head = isinstance(backend, HeadBackend)
        self._scan = backend if isinstance(backend, AsyncScanBackend) else None
        self._ping = backend if isinstance(backend, AsyncPingBackend) else None
        self._close = backend if isinstance(backend, AsyncCloseBackend) else None

    async def aset(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As `SyncFacade.set`."""
        with self._in_our_words:
            if self._own:
                await self._own.aset(key, value, ttl_seconds)
            else:
                await self._run(self._sync.set, key, value, ttl_seconds)

    async def aget(self, key: str) -> bytes | None:
        """As `SyncFacade.get`."""
        with self._in_our_words:
            return await self._own.aget(key) if self._own else await self._run(self._sync.get, key)

    async def adelete(self, key: str) -> bool:
        """As `SyncFacade.delete`."""
        with self._in_our_words:
            return await self._own.adelete(key) if self._own else await self._run(self._sync.delete, key)

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As `SyncFacade.head`."""
        with self._in_our_words:
            if self._head:
                return await self._head.ahead(key, n)
            if self._sync_head:
                return await self._run(self._sync.head, key, n)
            return _beginning(await self.aget(key), n)

    async def apeek(self, key: str, n: int) -> bytes | None:
        """As `SyncFacade.peek`; a backend with a ``head`` for the event loop sees uses by itself."""
        if self._head or not self._sync_head:
            return await self.ahead(key, n)
        with self._in_our_words:
            return await self._run(self._sync.peek, key, n)

    async def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As `SyncFacade.scan`; `ListingUnsupported` is raised at the first step of the iteration."""
        if self._scan:
            with self._in_our_words:
                async for key in self._scan.ascan(prefix):
                    yield key
        else:
            for key in await self._run(lambda: list(self._sync.scan(prefix))):
                yield key

    async def aping(self) -> None:
        """As `SyncFacade.ping`."""
        with self._in_our_words:
            await (self._ping.aping() if self._ping else self._run(self._sync.ping))

    async def aclose(self) -> None:
        """As `SyncFacade.close`."""
        with self._in_our_words:
            await (self._close.aclose() if self._close else self._run(self._sync.close))

    async def _run(self, function: Callable[..., Result], *args: Any) -> Result:
        if self._direct:
            return function(*args)
        return await anyio.to_thread.run_sync(function, *args)


def _beginning(value: bytes | None, n: int) -> bytes | None:
    return None if value is None else value[: max(n, 0)]


def _no_listing(backend: object) -> ListingUnsupported:
    return ListingUnsupported(
        f"Objects cannot be listed here: {type(backend).__name__} has no scan(). "
        "Use the references that earlier results gave."
    )
