from collections.abc import Iterator

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox(timeout=30)  # these tests check answers, not deadlines
    yield opened
    opened.close()


@pytest.fixture
def explorer(sandbox: Sandbox) -> Explorer:
    return Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox)
