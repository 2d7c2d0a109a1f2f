"""The backend of a store: a fixed one, or that of a provider, whose overrides take effect at the next operation."""

from itertools import count
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

from coatcheck.backends import Backend, ObjectStoreBackend, as_backend

_numbers = count(1)


class BackendProvider(Protocol):
    """A provider of dependency-injector that returns a backend."""

    @property
    def last_overriding(self) -> Any:
        """The last override of this provider, if any."""
        ...

    def __call__(self) -> ObjectStoreBackend:
        """Return the backend."""
        ...


BackendLike: TypeAlias = ObjectStoreBackend | BackendProvider


class BackendInUse(NamedTuple):
    """The current backend, with the full interface that the store uses."""

    asked: Any  # the provider that returned it; `None` for a fixed backend
    given: ObjectStoreBackend  # the backend as it was passed
    backend: Backend  # the same backend with all methods of the interface, and with the errors of this library
    number: int  # identifies it among the backends of this process


class BackendSource:
    """Returns the backend for each operation, from a backend or a provider of one.

    The begin and end of an override take effect at the next operation, and so does another branch of a Selector that
    was passed to the container. Checking for one costs an attribute comparison, a twentieth of a call of the
    provider.
    """

    def __init__(self, source: BackendLike) -> None:
        self._provider = source if _is_provider(source) else None
        self._used = self._resolve(source)

    def now(self) -> BackendInUse:
        """Return the current backend."""
        if self._provider is None:
            return self._used
        used = self._used
        if _current(self._provider) is not used.asked:
            used = self._used = self._resolve(self._provider)
        return used

    @staticmethod
    def _resolve(source: BackendLike) -> BackendInUse:
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
    # A container's own Selector is fixed by its settings; one that a host passed may select another branch later.
    if current is not provider and hasattr(current, "selector"):
        return current.providers.get(current.selector(), current)
    return current
