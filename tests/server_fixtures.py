import pytest

from tests.redis_groups import redis_cluster as start_cluster
from tests.redis_groups import sentinel_service as start_service
from tests.redis_servers import redis_server as start_redis
from tests.redis_servers import valkey_server as start_valkey

PASSWORD = "p@ss/w:rd?#%"


@pytest.fixture(scope="session")
def redis_server():
    with start_redis() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server():
    with start_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def redis_with_password():
    with start_redis(password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def redis_socket():
    with start_redis(unix_socket=True, password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def sentinel_service():
    with start_service(password=PASSWORD, sentinel_password="for sentinels") as service:
        yield service


@pytest.fixture(scope="session")
def redis_cluster():
    with start_cluster(password=PASSWORD) as cluster:
        yield cluster


@pytest.fixture
def own_redis():
    """A server for one test, which may stop it."""
    with start_redis() as server:
        yield server
