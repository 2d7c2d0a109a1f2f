"""A backend with four methods fits the protocol; one with a wrong method does not."""

from typing import assert_type

from coatcheck.backends import InMemoryBackend, ObjectStoreBackend, RedisBackend, SQLiteBackend, require_backend
from coatcheck.object_store import ObjectStore


class DictBackend:
    """A minimal backend: four methods, no base class."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def generate_id(self) -> str:
        """Return a new id."""
        return f"obj_{len(self._values)}"

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Store a value; this backend keeps it until it is deleted."""
        del ttl_seconds
        self._values[key] = value

    def get(self, key: str) -> bytes | None:
        """Return a value."""
        return self._values.get(key)

    def delete(self, key: str) -> bool:
        """Delete a value."""
        return self._values.pop(key, None) is not None


class TextBackend(DictBackend):
    """Returns text where bytes are expected."""

    def get(self, key: str) -> str:  # type: ignore[override]
        """Return a value."""
        return key


def return_memory() -> ObjectStoreBackend:
    """Return a backend that comes with coatcheck."""
    return InMemoryBackend(max_bytes=1_000_000)


def return_sqlite(backend: SQLiteBackend) -> ObjectStoreBackend:
    """Return a backend that comes with coatcheck."""
    return backend


def return_redis(backend: RedisBackend) -> ObjectStoreBackend:
    """Return a backend that comes with coatcheck."""
    return backend


ObjectStore(DictBackend(), ttl=60.0)
ObjectStore(DictBackend(), ttl="60")  # type: ignore[arg-type]
ObjectStore(object())  # type: ignore[arg-type]
ObjectStore(TextBackend())  # type: ignore[arg-type]
assert_type(require_backend(object()), ObjectStoreBackend)
