"""Where objects are kept: memory, a file, Redis, or a backend of your own (see `coatcheck.backends.base`)."""

from coatcheck.backends.base import (
    AsyncBackend,
    AsyncCloseBackend,
    AsyncHeadBackend,
    AsyncPingBackend,
    AsyncScanBackend,
    BackendStatistics,
    CloseBackend,
    HeadBackend,
    ObjectStoreBackend,
    PingBackend,
    ScanBackend,
    StatisticsBackend,
    TouchBackend,
    redact_url,
    require_backend,
)
from coatcheck.backends.breaker import BreakerBackend, CircuitBreaker
from coatcheck.backends.facades import AsyncFacade, SyncFacade
from coatcheck.backends.memory import InMemoryBackend
from coatcheck.backends.redis import RedisBackend, RedisUnavailable
from coatcheck.backends.sqlite import SQLiteBackend, SQLiteUnavailable

__all__ = [
    "AsyncBackend",
    "AsyncCloseBackend",
    "AsyncFacade",
    "AsyncHeadBackend",
    "AsyncPingBackend",
    "AsyncScanBackend",
    "BackendStatistics",
    "BreakerBackend",
    "CircuitBreaker",
    "CloseBackend",
    "HeadBackend",
    "InMemoryBackend",
    "ObjectStoreBackend",
    "PingBackend",
    "RedisBackend",
    "RedisUnavailable",
    "SQLiteBackend",
    "SQLiteUnavailable",
    "ScanBackend",
    "StatisticsBackend",
    "SyncFacade",
    "TouchBackend",
    "redact_url",
    "require_backend",
]
