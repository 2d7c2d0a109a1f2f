from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.security.identity_provider import AUDIENCE, ISSUER, IdentityProvider
from tests.wrap.running import wrapped_over_http

ECHO_SERVER = [PYTHON, str(Path(__file__).parent / "echo_server.py")]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The store and the protocol do not depend on each other: not every pair of them is tested each time."""
    for item in items:
        chosen = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if (chosen.get("container"), chosen.get("mode")) in {("memory", "auto"), ("redis", "legacy")}:
            item.add_marker(pytest.mark.long)


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """The legacy and the modern protocol."""
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


@pytest.fixture(scope="session")
def wrapped(provider, tmp_path_factory) -> Iterator[Callable[..., str]]:
    """Returns the URL of a server behind ``coatcheck wrap``; one process for each kind of store, with and without tokens."""
    urls: dict[tuple[str, bool], str] = {}
    keys = provider.publish(tmp_path_factory.mktemp("keys") / "jwks.json")
    asking = ["--auth-jwks", str(keys), "--auth-issuer", ISSUER, "--auth-audience", AUDIENCE]
    with ExitStack() as running:

        def url_of(container: Container, *, authenticated: bool) -> str:
            known = container.settings()
            kind = (known.object_store_backend, authenticated)
            if kind not in urls:
                variables = {"COATCHECK_OBJECT_STORE_BACKEND": known.object_store_backend}
                if known.redis_url:
                    variables |= {
                        "COATCHECK_REDIS_URL": known.redis_url.get_secret_value(),
                        "COATCHECK_REDIS_TIMEOUT": "15",
                        "COATCHECK_REDIS_PREFIX": f"{uuid4()}:",
                    }
                flags = [*(asking if authenticated else []), "--", *ECHO_SERVER]
                urls[kind] = running.enter_context(wrapped_over_http(*flags, **variables))[1]
            return urls[kind]

        yield url_of
