import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.fault_proxy import fault_proxy


@pytest.fixture
def network(own_redis):
    """A fault proxy in front of a Redis server for one test."""
    with fault_proxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
def settings(network):
    return Settings(object_store_backend="redis", redis_url=f"redis://127.0.0.1:{network.port}/0")


@pytest.fixture
async def container(settings):
    container = Container(settings=settings)
    yield container
    await container.exit_stack().aclose()
