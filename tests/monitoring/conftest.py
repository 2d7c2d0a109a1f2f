import hashlib
from uuid import uuid4

import pytest

from tests.monitoring.connecting import flags_of
from tests.monitoring.running import KINDS, TOKEN, served

PREFIX = f"prefix-canary-{uuid4()}:"


@pytest.fixture(scope="session", params=KINDS)
def protected(request, redis_with_password, tmp_path_factory):
    """A server that requires a token, over a Redis with a password; all its secrets contain "canary"."""
    folder = tmp_path_factory.mktemp("protected")
    tokens = folder / "tokens"
    tokens.write_text(f"alice-canary {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    environment = {
        "COATCHECK_OBJECT_STORE_BACKEND": "redis",
        "COATCHECK_REDIS_URL": redis_with_password.url,
        "COATCHECK_REDIS_TIMEOUT": "15",
        "COATCHECK_REDIS_PREFIX": PREFIX + request.param + ":",
    }
    flags = ["--auth-tokens", str(tokens), *flags_of(request.param)]
    with served(request.param, folder, *flags, **environment) as server:
        yield server
