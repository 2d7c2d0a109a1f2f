import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore


@pytest.fixture
def explorer(sandbox: Sandbox) -> Explorer:
    return Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox)
