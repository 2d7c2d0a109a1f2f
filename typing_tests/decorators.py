"""Decorators take a store or a provider of it, and keep an async function async."""

from typing import assert_type

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

assert_type(measure(3), str)
measure("3")  # type: ignore[arg-type]
assert_type(warmest([1.5]), float)
warmest(limit=3)  # type: ignore[call-arg]


async def use() -> None:
    """An async function stays async, and keeps its parameters."""
    assert_type(await above([1.5], limit=1), str)
    await above([1.5])  # type: ignore[call-arg]
