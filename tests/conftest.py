import pytest

from tests.server_fixtures import (  # noqa: F401  # fixtures
    PASSWORD,
    own_redis,
    redis_server,
    redis_socket,
    redis_with_password,
    valkey_server,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
