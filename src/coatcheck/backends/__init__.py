"""Backends: memory, SQLite, Redis, or your own (see `coatcheck.backends.base`)."""

from coatcheck.backends.adapter import BackendAdapter, as_backend
from coatcheck.backends.base import Backend, BackendStatistics, ObjectStoreBackend, redact_url, require_backend
from coatcheck.backends.breaker import BreakerBackend, CircuitBreaker
from coatcheck.backends.memory import InMemoryBackend
from coatcheck.backends.redis import RedisBackend, RedisUnavailable
from coatcheck.backends.sqlite import SQLiteBackend, SQLiteUnavailable
from coatcheck.backends.wrapper import BackendWrapper

__all__ = [
    "Backend",
    "BackendAdapter",
    "BackendStatistics",
    "BackendWrapper",
    "BreakerBackend",
    "CircuitBreaker",
    "InMemoryBackend",
    "ObjectStoreBackend",
    "RedisBackend",
    "RedisUnavailable",
    "SQLiteBackend",
    "SQLiteUnavailable",
    "as_backend",
    "redact_url",
    "require_backend",
]
