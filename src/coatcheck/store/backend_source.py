"""The backend that a store uses: one that it was given, or what a provider gives, followed when that is overridden."""

from itertools import count
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

from coatcheck.backends import Backend, ObjectStoreBackend, as_backend

_numbers = count(1)


class BackendProvider(Protocol):
    """A provider of dependency-injector that gives a backend."""

    @property
    def last_overriding(self) -> Any:
        """The provider that stands in this one's place, if any."""
        ...

    def __call__(self) -> ObjectStoreBackend:
        """Give the backend."""
        ...


BackendLike: TypeAlias = ObjectStoreBackend | BackendProvider


class BackendInUse(NamedTuple):
    """A backend with the full interface that the store uses.

    Attributes:
        asked: The provider that gave it; ``None`` for a backend that was given as such.
        given: The backend as it was given.
        backend: The same with every method of the interface, and errors of this library.
        number: Distinguishes it from other backends of this process.
    """

    asked: Any
    given: ObjectStoreBackend
    backend: Backend
    number: int


class BackendSource:
    """Gives the backend to use, at each operation.

    An override counts from the next operation on, and so does its end. To notice one costs an attribute comparison, a
    twentieth of what asking the provider costs.

    Args:
        source: A backend, or a provider of one.
    """

    def __init__(self, source: BackendLike) -> None:
        self._provider = source if _is_provider(source) else None
        self._used = self._ask(source)

    def now(self) -> BackendInUse:
        """Give the backend as it is overridden at the moment."""
        if self._provider is None:
            return self._used
        used = self._used
        if _current(self._provider) is not used.asked:
            used = self._used = self._ask(self._provider)
        return used

    @staticmethod
    def _ask(source: BackendLike) -> BackendInUse:
        if _is_provider(source):
            asked, given = _current(source), source()
        else:
            asked, given = None, cast("ObjectStoreBackend", source)
        return BackendInUse(asked, given, as_backend(given), next(_numbers))


def _is_provider(source: BackendLike) -> TypeGuard[BackendProvider]:
    return hasattr(type(source), "last_overriding")


def _current(provider: BackendProvider) -> Any:
    current: Any = provider
    while (above := current.last_overriding) is not None:
        current = above
    return current
