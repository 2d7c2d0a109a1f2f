"""A Redis user with the rights in docs/operations.md can do everything needed, and nothing else."""

import re
from pathlib import Path

import pytest
import redis

from coatcheck.backends import RedisBackend, RedisUnavailable
from coatcheck.testing import BackendContract
from tests.redis_groups import redis_cluster as start_cluster
from tests.redis_groups import sentinel_service as start_service
from tests.redis_servers import redis_server as start_redis

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def grant(port, section):
    """Create the user, or grant it more rights, as in a section of the documentation."""
    text = OPERATIONS.partition(f"### {section}\n")[2].partition("\n### ")[0]
    command = re.search(r"^ACL SETUSER coatcheck .*$", text, flags=re.MULTILINE)[0]
    command = re.sub(r">[A-Z-]*PASSWORD", ">pw", command)
    with redis.Redis(port=port) as bare:
        bare.execute_command(*command.split())


@pytest.fixture(scope="module")
def server():
    with start_redis() as server:
        grant(server.port, "Permissions")
        yield server


@pytest.fixture(scope="module")
def cluster():
    with start_cluster() as cluster:
        for node in cluster.primaries:
            grant(node.port, "Permissions")
            grant(node.port, "Cluster")
        yield cluster


@pytest.fixture(scope="module")
def service():
    with start_service() as service:
        for server in service.servers:
            grant(server.port, "Permissions")
        for sentinel in service.sentinels:
            grant(sentinel.port, "Sentinels")
            with redis.Redis(port=sentinel.port) as bare:
                bare.execute_command("ACL", "SETUSER", "default", "off")
        yield service


class TestRedisWithTheLeastRights(BackendContract):
    @pytest.fixture
    def backend(self, server):
        backend = RedisBackend(server.url.replace("://", "://coatcheck:pw@"))
        yield backend
        backend.close()


class TestClusterWithTheLeastRights(BackendContract):
    @pytest.fixture
    def backend(self, cluster):
        backend = RedisBackend(cluster.url.replace("://", "://coatcheck:pw@"), timeout=5.0)
        yield backend
        backend.close()


class TestSentinelsWithTheLeastRights(BackendContract):
    @pytest.fixture
    def backend(self, service):
        url = service.url.replace("://", "://coatcheck:pw@")
        backend = RedisBackend(url, timeout=5.0, sentinel_username="coatcheck", sentinel_password="pw")
        yield backend
        backend.close()


def test_other_keys_and_commands_are_denied(server):
    other = RedisBackend(server.url.replace("://", "://coatcheck:pw@"), prefix="elsewhere:")
    for call in (lambda: other.get("a"), lambda: other.set("a", b"", None), lambda: other.delete("a")):
        with pytest.raises(RedisUnavailable) as refused:
            call()
        assert refused.value.kind == "permission"
    other.close()
    with redis.Redis.from_url(server.url.replace("://", "://coatcheck:pw@")) as bare:
        for command in (["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", "0"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                bare.execute_command(*command)
