"""The protocol of backends, and the base class with defaults for the optional methods.

A backend stores bytes under keys for a time. Four methods are required (`ObjectStoreBackend`). `Backend` adds optional
methods, each with a default that a backend may override.

Terms used below:

- **key**: opaque text, ``"namespace:id"`` or just ``"id"``. A backend may add its own prefix and must
  distinguish all keys, whatever characters they contain.
- **value**: immutable bytes, of any length, zero included.
- **ttl_seconds**: how long the value lives, in seconds, fractions included, counted from this ``set``; ``None``
  means no expiry, and zero or less means immediate expiry.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
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

    If the store is unavailable, they raise `coatcheck.errors.ObjectStoreUnavailable`, without secrets in its text. Any
    other exception is converted to this error, without its text (see `coatcheck.backends.as_backend`).

    A backend may also have any of the methods and attributes of `Backend`. If its ``blocking`` is ``False``, no method
    ever blocks, so that all of them may be called on the event loop; without it, asynchronous code calls them in a
    worker thread.
    """

    def generate_id(self) -> str:
        """Return a new object id, ``obj_`` and then letters, digits, ``_`` or ``-``; ids are never repeated."""
        ...

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Store ``value`` under ``key``; replace a previous value and its remaining lifetime."""
        ...

    def get(self, key: str) -> bytes | None:
        """Return the value under ``key``; ``None`` if there is none or it has expired."""
        ...

    def delete(self, key: str) -> bool:
        """Delete ``key``; return whether it existed."""
        ...


@dataclass(frozen=True, slots=True)
class BackendStatistics:
    """The contents of a backend and the objects that it has dropped.

    Attributes:
        objects: Number of stored objects.
        bytes: Their size in bytes, values only.
        evictions: Live objects that this process dropped to stay within a bound, since its start.
        expirations: Objects that this process dropped because they had expired, since its start.
    """

    objects: int
    bytes: int
    evictions: int
    expirations: int


class Backend(ObjectStoreBackend):
    """Base class of backends: a subclass implements the four required methods; all others have a default.

    Each operation has an asynchronous form, with an ``a`` before its name. By default that calls the synchronous one
    in a worker thread, or directly if ``blocking`` is ``False``. Asynchronous forms may be used from several event
    loops.

    Attributes:
        blocking: Whether a method may block.
        shared: Whether other processes can open the same store, as ``coatcheck objects`` does by the backend's name.
    """

    blocking: bool = True
    shared: bool = False

    def head(self, key: str, n: int) -> bytes | None:
        """Return the first ``n`` bytes (or all of a shorter value), not counted as a use; by default from ``get``."""
        return first_bytes(self.get(key), n)

    def touch(self, key: str) -> None:
        """Record a use of ``key``, for backends with LRU eviction; by default does nothing."""

    def peek(self, key: str, n: int) -> bytes | None:
        """As ``head``, but recorded as a use."""
        found = self.head(key, n)
        if found is not None:
            self.touch(key)
        return found

    def scan(self, prefix: str) -> Iterator[str]:
        """Yield each live key that starts with ``prefix``, once, in no particular order.

        ``prefix`` is literal text. Keys that are added or removed meanwhile may or may not be included.

        Raises:
            ListingUnsupported: By default.
        """
        del prefix
        raise ListingUnsupported(
            f"Objects cannot be listed here: {self._named()} has no scan(). "
            "Use the references that earlier results gave."
        )

    def ping(self) -> None:
        """Return if the store is available and accepts us, else raise `ObjectStoreUnavailable`; by default returns."""

    def close(self) -> None:
        """Release connections and files; further calls do nothing."""

    def statistics(self) -> BackendStatistics | None:
        """Return the current statistics; ``None`` if they are not known without a scan."""
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
        """As ``peek``; a backend's own ``ahead`` records the use itself."""
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
        """As ``close``, including resources of the running event loop."""
        await self._call(self.close)

    async def _call(self, method: Callable[..., T], *args: Any) -> T:
        return await anyio.to_thread.run_sync(method, *args) if self.blocking else method(*args)

    def _named(self) -> str:
        """The name of this backend in errors."""
        return type(self).__name__


def first_bytes(value: bytes | None, n: int) -> bytes | None:
    """Cut a value to its first ``n`` bytes."""
    return None if value is None else value[: max(n, 0)]


def keys_of(names: Iterable[bytes]) -> Iterator[str]:
    """The keys that a store names; one that is not UTF-8 was stored by another program."""
    for name in names:
        with suppress(UnicodeDecodeError):
            yield name.decode("utf-8", "surrogatepass")


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
