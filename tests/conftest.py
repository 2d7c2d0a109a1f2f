import gc
import os

import hypothesis
import pytest

from tests.preloaded_python.default_certificates import share_default_ssl_context
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

MOST_WORKERS = 8
LONGEST_FIRST = (
    "real_servers/test_servers.py",  # installs what other files need too, so none of those is run beside it
    *("wrap/", "security/", "real_servers/", "deepset/", "sandbox/", "replicas/", "cli/", "backends/", "demo/"),
    *("server/", "installer/", "codec/", "oauth/", "examples/", "degradation/", "tools/", "load/"),
)
"""Folders and files of long tests; what comes last is short, so no worker works on when the others are done."""

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("coatcheck", deadline=None)
hypothesis.settings.load_profile("coatcheck")


MEASURED_BY = "COVERAGE_PROCESS_CONFIG"
"""What coverage tells the processes that tests start; the SDK's client passes on only the variables that it knows."""


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files that have most tests
    share_default_ssl_context()
    if MEASURED_BY in os.environ:
        from mcp.client.stdio import DEFAULT_INHERITED_ENV_VARS

        DEFAULT_INHERITED_ENV_VARS.append(MEASURED_BY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        named = (n for n, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(f"tests/{name}"))
        return next(named, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was imported stays to the end, and searching it for cycles takes a second each time."""
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many tests wait, for a deadline or for a process that ends."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
