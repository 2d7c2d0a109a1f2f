"""The container's providers have precise return types."""

from typing import Any, assert_type

from mcp.server import MCPServer

from coatcheck import Container, Explorer, InMemoryBackend, ObjectStore, ObjectStoreBackend, Settings, running

container = Container(settings=Settings(object_store_ttl=60.0), backend=InMemoryBackend())

assert_type(container.settings(), Settings)
assert_type(container.backend(), ObjectStoreBackend)
assert_type(container.store(), ObjectStore)
assert_type(container.explorer(), Explorer)

with container.store.override(ObjectStore(InMemoryBackend())):
    assert_type(container.store().put("text"), str)


async def as_a_lifespan() -> None:
    """`running` yields the container that it opened."""
    async with running(container) as opened:
        assert_type(opened, Container)


assert_type(container.server(), MCPServer[Any])
container.metrics().nonsense()  # type: ignore[attr-defined]


@container.explorable()
def measure(days: int) -> list[float]:
    """Return temperatures."""
    return [1.5] * days


assert_type(measure(3), str)
