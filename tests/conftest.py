import gc
import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox, worker_process
from coatcheck.object_store import ObjectStore
from tests.preloaded_python import PYTHON
from tests.preloaded_python.built_commands import share_built_commands
from tests.preloaded_python.default_certificates import share_default_ssl_context
from tests.preloaded_python.sandbox_workers import OWN_COMMAND, start_workers_with
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
    "real_servers/test_servers.py",  # installs packages that other files need too, so they must not run at the same time
    *("wrap/", "security/", "real_servers/", "degradation/", "deepset/", "sandbox/", "replicas/", "backends/", "load/"),
    *(
        "server/",
        "cli/",
        "texts/",
        "codec/",
        "examples/",
        "oauth/",
        "demo/",
        "previews/",
        "installer/",
        "monitoring/",
        "container/",
    ),
)
"""Folders and files of long tests, which start first, so that all workers finish at about the same time."""

# The duration of an example depends on other load of the machine. Examples differ in each run; `make fuzz` tries many.
hypothesis.settings.register_profile("coatcheck", deadline=None, max_examples=50)
hypothesis.settings.load_profile("coatcheck")


COVERAGE_VARIABLES = "COVERAGE_PROCESS_CONFIG"
"""Coverage's variables for child processes; the SDK's client passes only a fixed set of variables to servers."""


def pytest_configure(config: pytest.Config) -> None:
    # A job in the background or under nohup: the processes of the tests would inherit what it ignores.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    gc.disable()  # until all tests are imported
    config.option.loadscopereorder = False  # xdist would start with the files that have most tests
    os.environ.pop("PYTHONUNBUFFERED", None)  # most users do not set it, and it hides errors of buffered outputs
    share_default_ssl_context()
    share_built_commands()
    start_workers_with(PYTHON)
    if COVERAGE_VARIABLES in os.environ:
        from mcp.client.stdio import DEFAULT_INHERITED_ENV_VARS

        DEFAULT_INHERITED_ENV_VARS.append(COVERAGE_VARIABLES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        named = (n for n, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(f"tests/{name}"))
        return next(named, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Exclude imported modules from garbage collection: collecting them takes a second each time."""
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """One more worker than processors, because many tests wait for a deadline or a process."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(InMemoryBackend())


@pytest.fixture
def explorer(store: ObjectStore) -> Explorer:
    return Explorer(store)


@pytest.fixture(scope="module")
def own_workers() -> Iterator[None]:
    """Workers are child processes, with only their own imports in their memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_process, "command", OWN_COMMAND)
        yield


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """For tests of answers, not of time limits."""
    sandbox = Sandbox(timeout=30)
    yield sandbox
    sandbox.close()
