"""Redis, Valkey and compatible servers: one server, sentinels, or a cluster."""

from coatcheck.backends.redis.errors import RedisUnavailable
from coatcheck.backends.redis.redis_backend import RedisBackend

__all__ = ["RedisBackend", "RedisUnavailable"]
