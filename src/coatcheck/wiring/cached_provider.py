"""Caches objects that are expensive to create until their provider is overridden."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from coatcheck.wiring.traversal import current

T = TypeVar("T")


class CachedProvider(Generic[T]):
    """Caches the object of a provider, and calls the provider again after an override begins or ends.

    Args:
        provider: A provider of a container.
    """

    def __init__(self, provider: Any) -> None:
        self._provider: Callable[[], T] = provider
        self._cached: tuple[Any, T] | None = None

    def __call__(self) -> T:
        """Return the object."""
        active, cached = current(self._provider), self._cached  # type: ignore[arg-type]
        if cached is None or cached[0] is not active:
            cached = self._cached = (active, self._provider())
        return cached[1]
