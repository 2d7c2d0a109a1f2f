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
        self._made: tuple[Any, T] | None = None

    def __call__(self) -> T:
        """Return the object."""
        standing, made = current(self._provider), self._made  # type: ignore[arg-type]
        if made is None or made[0] is not standing:
            made = self._made = (standing, self._provider())
        return made[1]
