"""Redis, Valkey and what else speaks their protocol: one server, a service of sentinels, or a cluster."""

from coatcheck.backends.redis.errors import RedisUnavailable
from coatcheck.backends.redis.redis_backend import RedisBackend

__all__ = ["RedisBackend", "RedisUnavailable"]
