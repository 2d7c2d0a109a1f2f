import pytest

from tests.server_fixtures import (  # noqa: F401  # fixtures
    PASSWORD,
    own_redis,
    redis_cluster,
    redis_server,
    redis_socket,
    redis_with_password,
    sentinel_service,
    valkey_server,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
