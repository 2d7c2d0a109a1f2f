"""Where objects are kept: in memory, in Redis, or in a backend of your own (see `coatcheck.backends.base`)."""

from coatcheck.backends.base import (
    AsyncBackend,
    AsyncCloseBackend,
    AsyncFacade,
    AsyncHeadBackend,
    AsyncPingBackend,
    AsyncScanBackend,
    CloseBackend,
    HeadBackend,
    ObjectStoreBackend,
    PingBackend,
    ScanBackend,
    SyncFacade,
    redact_url,
    require_backend,
)
from coatcheck.backends.memory import InMemoryBackend, MemoryStatistics
from coatcheck.backends.redis import RedisBackend
from coatcheck.backends.redis_errors import RedisUnavailable

__all__ = [
    "AsyncBackend",
    "AsyncCloseBackend",
    "AsyncFacade",
    "AsyncHeadBackend",
    "AsyncPingBackend",
    "AsyncScanBackend",
    "CloseBackend",
    "HeadBackend",
    "InMemoryBackend",
    "MemoryStatistics",
    "ObjectStoreBackend",
    "PingBackend",
    "RedisBackend",
    "RedisUnavailable",
    "ScanBackend",
    "SyncFacade",
    "redact_url",
    "require_backend",
]
