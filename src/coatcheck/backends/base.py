"""The protocol that every backend meets, and the base class with defaults for everything beyond it.

A backend keeps bytes under keys for a time. Four methods are required (`ObjectStoreBackend`). `Backend` adds what the
object store can use beyond them, each with a default; a backend overrides what it does better.

Terms used below:

- **key**: opaque text, ``"namespace:id"`` or just ``"id"``. A backend may put a prefix of its own before it and must
  keep any two different keys apart, whatever characters they have.
- **value**: immutable bytes, of any length, zero included.
- **ttl_seconds**: how long the value lives, in seconds, fractions included, counted from this ``set``; ``None``
  means no expiry, and zero or less means it is gone at once.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import anyio.to_thread

from coatcheck.backends.url_redaction import redact_url
from coatcheck.errors import ListingUnsupported, WiringError

__all__ = ["Backend", "BackendStatistics", "ObjectStoreBackend", "redact_url", "require_backend"]

T = TypeVar("T")


@runtime_checkable
class ObjectStoreBackend(Protocol):
    """The four operations that every backend has; safe to call from several threads at once.

    A store that cannot be reached raises `coatcheck.errors.ObjectStoreUnavailable`, with no secret in its text. Any
    other exception becomes one of these, with nothing of its text (see `coatcheck.backends.as_backend`).

    A backend may also have any of the methods of `Backend`, and the attribute ``blocking``. ``False`` says that no
    method ever waits, so that all of them may be called on the event loop; without the attribute they are called in a
    worker thread from asynchronous code.
    """

    def generate_id(self) -> str:
        """A new object id, ``obj_`` and then letters, digits, ``_`` or ``-``; never the same twice."""
        ...

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Keep ``value`` under ``key``; what was there, and its remaining time, is replaced."""
        ...

    def get(self, key: str) -> bytes | None:
        """The value under ``key``; ``None`` if there is none or it has expired."""
        ...

    def delete(self, key: str) -> bool:
        """Remove ``key``; whether there was something to remove."""
        ...


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """What a backend holds and what it has dropped.

    Attributes:
        objects: Number of objects held.
        bytes: Their size in bytes, values only.
        evictions: Live objects that this process dropped to stay within a bound, since its start.
        expirations: Objects that this process dropped because they had expired, since its start.
    """

    objects: int
    bytes: int
    evictions: int
    expirations: int


class Backend(ObjectStoreBackend):
    """Base class of backends: the four required methods are left to the subclass, all others have a default.

    Each operation has an asynchronous form, with an ``a`` before its name. By default that calls the synchronous one
    in a worker thread, or directly where ``blocking`` is ``False``. Asynchronous forms may be used from several event
    loops.

    Attributes:
        blocking: Whether a method may wait for something.
    """

    blocking: bool = True

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes (fewer if the value is shorter), not counted as a use; by default cut from ``get``."""
        return first_bytes(self.get(key), n)

    def touch(self, key: str) -> None:
        """Count a use of ``key``, for backends that drop the least recently used values first; by default nothing."""

    def peek(self, key: str, n: int) -> bytes | None:
        """As ``head``, and counted as a use."""
        found = self.head(key, n)
        if found is not None:
            self.touch(key)
        return found

    def scan(self, prefix: str) -> Iterator[str]:
        """Each live key that begins with ``prefix``, once, in no particular order.

        ``prefix`` is literal text. Keys that come or go meanwhile may or may not be named.

        Raises:
            ListingUnsupported: By default.
        """
        del prefix
        raise ListingUnsupported(
            f"Objects cannot be listed here: {self._named()} has no scan(). "
            "Use the references that earlier results gave."
        )

    def ping(self) -> None:
        """Return if the store answers and accepts us, else raise `ObjectStoreUnavailable`; by default it does."""

    def close(self) -> None:
        """Release connections and files; calling it again does nothing."""

    def statistics(self) -> BackendStatistics | None:
        """What is held now and what was dropped so far; ``None`` if that is not known without searching."""
        return None

    async def aset(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As ``set``."""
        await self._call(self.set, key, value, ttl_seconds)

    async def aget(self, key: str) -> bytes | None:
        """As ``get``."""
        return await self._call(self.get, key)

    async def adelete(self, key: str) -> bool:
        """As ``delete``."""
        return await self._call(self.delete, key)

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As ``head``."""
        if getattr(self.head, "__func__", None) is Backend.head:
            return first_bytes(await self.aget(key), n)
        return await self._call(self.head, key, n)

    async def apeek(self, key: str, n: int) -> bytes | None:
        """As ``peek``; an ``ahead`` of the backend's own counts the use itself."""
        if getattr(self.ahead, "__func__", None) is not Backend.ahead:
            return await self.ahead(key, n)
        return await self._call(self.peek, key, n)

    async def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As ``scan``; `ListingUnsupported` is raised at the first step of the iteration."""
        for key in await self._call(lambda: list(self.scan(prefix))):
            yield key

    async def aping(self) -> None:
        """As ``ping``."""
        await self._call(self.ping)

    async def aclose(self) -> None:
        """As ``close``; also for what belongs to the running event loop."""
        await self._call(self.close)

    async def _call(self, method: Callable[..., T], *args: Any) -> T:
        return await anyio.to_thread.run_sync(method, *args) if self.blocking else method(*args)

    def _named(self) -> str:
        """What errors call this backend."""
        return type(self).__name__


def first_bytes(value: bytes | None, n: int) -> bytes | None:
    """Cut a value to its first ``n`` bytes."""
    return None if value is None else value[: max(n, 0)]


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
