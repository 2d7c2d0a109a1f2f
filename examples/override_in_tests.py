"""Tests that override parts of a container; nothing is patched, and each override ends with its test.

pytest examples/override_in_tests.py
"""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp import Client

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings


class BrokenBackend(InMemoryBackend):
    """An unavailable backend."""

    def set(self, *_args: Any, **_kwargs: Any) -> None:
        """Fail."""
        raise ObjectStoreUnavailable("The store at test:6379 does not answer.")


@pytest.fixture
def container() -> Iterator[Container]:
    """A container for one test, independent of the settings in the environment."""
    made = Container(settings=Settings(object_store_ttl=60.0, preview_limit=500))
    yield made
    made.sandbox().close()


def count(to: int) -> list[int]:
    """Count."""
    return list(range(to))


def test_an_override_applies_to_a_decorated_function(container: Container) -> None:
    counted = container.explorable()(count)
    fake = ObjectStore(InMemoryBackend())  # ids from one: obj_001, obj_002, …
    with container.store.override(fake):
        assert counted(1000).startswith("@obj_001: array of 1,000 items")
    assert fake.get("obj_001") == list(range(1000))
    assert not counted(1000).startswith("@obj_00")  # after the block, the original store is back


def test_an_override_applies_to_a_running_server(container: Container) -> None:
    async def look() -> str:
        async with Client(container.server()) as client:
            fake = ObjectStore(InMemoryBackend())
            fake.put({"answer": 42})
            with container.store.override(fake):
                shown = await client.call_tool("object_store_get", {"object_id": "obj_001", "path": "answer"})
            return str(getattr(shown.content[0], "text", ""))

    assert anyio.run(look) == "42"


def test_a_result_reaches_the_caller_although_the_backend_is_unavailable() -> None:
    container = Container(settings=Settings(), backend=BrokenBackend())
    shown = container.explorable()(count)(3)
    assert shown.startswith("[0,1,2]")
    assert "not kept: The store at test:6379 does not answer." in shown


def test_two_containers_share_nothing(container: Container) -> None:
    object_id = container.store().put("mine")
    assert Container(settings=Settings()).store().get(object_id) is None
