"""A store in memory, an explorer over one, and a sandbox with a long time limit."""

from collections.abc import Iterator

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(InMemoryBackend())


@pytest.fixture
def explorer() -> Explorer:
    return Explorer(ObjectStore(InMemoryBackend()))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """For tests of answers, not of time limits."""
    sandbox = Sandbox(timeout=30)
    yield sandbox
    sandbox.close()
