from collections.abc import Iterator
from uuid import uuid4

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.security.identity_provider import IdentityProvider


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both eras of the protocol."""
    return str(request.param)


@pytest.fixture(scope="session")
def provider() -> IdentityProvider:
    return IdentityProvider()


@pytest.fixture(params=["memory", "redis"])
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    """A container over each kind of store."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        made = Container(settings=Settings(object_store_backend="redis", redis_url=url, redis_prefix=f"{uuid4()}:"))
    else:
        made = Container(settings=Settings())
    yield made
    made.sandbox().close()
