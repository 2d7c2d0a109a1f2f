"""Decorators take a store or a provider of it, and keep an async function async."""

from coatcheck import (
    Container,
    Explorer,
    InMemoryBackend,
    ObjectStore,
    explorable,
    explorable_and_referenceable,
    referenceable,
)

store = ObjectStore(InMemoryBackend())
container = Container()


@explorable(object_store=store)
def measure(days: int) -> list[float]:
    """Return temperatures."""
    return [1.5] * days


@referenceable(object_store=lambda: store, explorer=Explorer(store))
def warmest(temperatures: list[float]) -> float:
    """Return the highest temperature."""
    return max(temperatures)


@explorable_and_referenceable(object_store=container.store, explorer=container.explorer)
async def above(temperatures: list[float], limit: float) -> list[float]:
    """Return the temperatures above a limit."""
    return [each for each in temperatures if each > limit]


explorable(object_store=InMemoryBackend())  # type: ignore[arg-type]
explorable(store)  # type: ignore[call-arg]
referenceable(object_store=store, literal=["sql"])  # type: ignore[arg-type]
