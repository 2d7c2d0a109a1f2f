"""Objects that are expensive to make, kept until the provider that made them is overridden."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from coatcheck.wiring.traversal import current

T = TypeVar("T")


class CachedProvider(Generic[T]):
    """Gives what a provider made, and asks it again once it is overridden or an override ends.

    Args:
        provider: A provider of a container.
    """

    def __init__(self, provider: Any) -> None:
        self._provider: Callable[[], T] = provider
        self._made: tuple[Any, T] | None = None

    def __call__(self) -> T:
        """Give the object."""
        standing, made = current(self._provider), self._made  # type: ignore[arg-type]
        if made is None or made[0] is not standing:
            made = self._made = (standing, self._provider())
        return made[1]
