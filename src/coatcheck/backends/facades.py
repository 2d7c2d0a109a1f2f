"""How the rest of coatcheck calls backends: every one has the same face, and what it lacks degrades in one place."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import anyio.to_thread

from coatcheck.backends.base import (
    AsyncBackend,
    AsyncCloseBackend,
    AsyncHeadBackend,
    AsyncPingBackend,
    AsyncScanBackend,
    CloseBackend,
    HeadBackend,
    ObjectStoreBackend,
    PingBackend,
    ScanBackend,
    TouchBackend,
    require_backend,
)
from coatcheck.errors import CoatcheckError, ListingUnsupported, ObjectStoreUnavailable

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


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
