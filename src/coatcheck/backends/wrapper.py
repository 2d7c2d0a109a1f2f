"""A backend that forwards every call to another one, for subclasses that add behaviour."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, nullcontext

from coatcheck.backends.base import Backend, BackendStatistics


class BackendWrapper(Backend):
    """Forwards every call to the wrapped backend.

    Args:
        backend: The wrapped backend, with the full interface (see `coatcheck.backends.as_backend`).

    Attributes:
        backend: The wrapped backend.
        guard: Entered around every call except ``generate_id`` and ``statistics``; must be reusable at any time from
            any thread. A subclass sets it, or overrides single methods.
    """

    guard: AbstractContextManager[object] = nullcontext()

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.blocking = backend.blocking

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend!r})"

    def generate_id(self) -> str:
        """As the wrapped backend."""
        return self.backend.generate_id()

    def statistics(self) -> BackendStatistics | None:
        """As the wrapped backend."""
        return self.backend.statistics()

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As the wrapped backend."""
        with self.guard:
            self.backend.set(key, value, ttl_seconds)

    def get(self, key: str) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return self.backend.get(key)

    def delete(self, key: str) -> bool:
        """As the wrapped backend."""
        with self.guard:
            return self.backend.delete(key)

    def head(self, key: str, n: int) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return self.backend.head(key, n)

    def touch(self, key: str) -> None:
        """As the wrapped backend."""
        with self.guard:
            self.backend.touch(key)

    def peek(self, key: str, n: int) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return self.backend.peek(key, n)

    def scan(self, prefix: str) -> Iterator[str]:
        """As the wrapped backend."""
        with self.guard:
            keys = self.backend.scan(prefix)
        return self._guarded(keys)

    def _guarded(self, keys: Iterator[str]) -> Iterator[str]:
        with self.guard:
            yield from keys

    def ping(self) -> None:
        """As the wrapped backend."""
        with self.guard:
            self.backend.ping()

    def close(self) -> None:
        """As the wrapped backend."""
        with self.guard:
            self.backend.close()

    async def aset(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As the wrapped backend."""
        with self.guard:
            await self.backend.aset(key, value, ttl_seconds)

    async def aget(self, key: str) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return await self.backend.aget(key)

    async def adelete(self, key: str) -> bool:
        """As the wrapped backend."""
        with self.guard:
            return await self.backend.adelete(key)

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return await self.backend.ahead(key, n)

    async def apeek(self, key: str, n: int) -> bytes | None:
        """As the wrapped backend."""
        with self.guard:
            return await self.backend.apeek(key, n)

    async def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As the wrapped backend."""
        with self.guard:
            async for key in self.backend.ascan(prefix):
                yield key

    async def aping(self) -> None:
        """As the wrapped backend."""
        with self.guard:
            await self.backend.aping()

    async def aclose(self) -> None:
        """As the wrapped backend."""
        with self.guard:
            await self.backend.aclose()
