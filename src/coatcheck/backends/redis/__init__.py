"""Redis, Valkey and what else speaks their protocol: one server, a service of sentinels, or a cluster."""

from coatcheck.backends.redis.backend import RedisBackend
from coatcheck.backends.redis.errors import RedisUnavailable

__all__ = ["RedisBackend", "RedisUnavailable"]
