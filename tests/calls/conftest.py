import pytest

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore


@pytest.fixture
def explorer() -> Explorer:
    return Explorer(ObjectStore(InMemoryBackend()))
