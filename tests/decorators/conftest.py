import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.object_store import ObjectStore


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(InMemoryBackend())
