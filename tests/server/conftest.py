from pathlib import Path

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings


@pytest.fixture
def container():
    made = Container(settings=Settings())
    yield made
    made.sandbox().close()


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """The legacy and the modern protocol."""
    return request.param


@pytest.fixture
def examples() -> Path:
    return Path(__file__).parents[2] / "examples"
