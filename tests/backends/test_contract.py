import pytest

from coatcheck.backends import InMemoryBackend, RedisBackend, SQLiteBackend
from coatcheck.testing import BackendContract
from tests.minimal_backend import FourMethods


class TestInMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self):
        return InMemoryBackend()


class TestBoundedInMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self):
        return InMemoryBackend(
            max_objects=2000, max_bytes=2**26, max_namespace_objects=1000, max_namespace_bytes=2**25, max_idle=600
        )


class TestBackendWithTheRequiredMethodsOnly(BackendContract):
    @pytest.fixture
    def backend(self):
        return FourMethods()


class TestSQLite(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path):
        backend = SQLiteBackend(tmp_path / "objects.sqlite")
        yield backend
        backend.close()


class TestBoundedSQLite(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path):
        backend = SQLiteBackend(
            tmp_path / "objects.sqlite",
            max_bytes=2**26,
            max_namespace_objects=1000,
            max_namespace_bytes=2**25,
            max_idle=600,
        )
        yield backend
        backend.close()


class RedisContract(BackendContract):
    @pytest.fixture
    def backend(self, url):
        backend = RedisBackend(url, timeout=15)
        yield backend
        backend.close()


class TestRedis(RedisContract):
    @pytest.fixture
    def url(self, redis_server):
        return redis_server.url


class TestValkey(RedisContract):
    @pytest.fixture
    def url(self, valkey_server):
        return valkey_server.url


class TestRedisWithPassword(RedisContract):
    @pytest.fixture
    def url(self, redis_with_password):
        return redis_with_password.url


class TestRedisOnASocket(RedisContract):
    @pytest.fixture
    def url(self, redis_socket):
        return redis_socket.url


class TestRedisWithAnotherPrefix(BackendContract):
    @pytest.fixture
    def backend(self, redis_server):
        backend = RedisBackend(redis_server.url, prefix="other*[prefix]:", timeout=15)
        yield backend
        backend.close()


class TestRedisWithTheNewerProtocol(RedisContract):
    @pytest.fixture
    def url(self, redis_server):
        return f"{redis_server.url}?protocol=3"


class TestRedisBehindSentinels(RedisContract):
    @pytest.fixture
    def url(self, sentinel_service):
        return sentinel_service.url


class TestRedisCluster(RedisContract):
    @pytest.fixture
    def url(self, redis_cluster):
        return redis_cluster.url
