"""Adapts any backend to the full interface of `Backend` and the errors of this library."""

import logging
from types import TracebackType

from coatcheck.backends.base import Backend, ObjectStoreBackend, require_backend
from coatcheck.backends.wrapper import BackendWrapper
from coatcheck.errors import CoatcheckError, ObjectStoreUnavailable

logger = logging.getLogger(__name__)

OPTIONAL = (
    "head", "touch", "peek", "scan", "ping", "close", "statistics",
    "aset", "aget", "adelete", "ahead", "apeek", "ascan", "aping", "aclose",
)  # fmt: skip
"""Methods that a backend may have beyond the four of `ObjectStoreBackend`."""


def as_backend(candidate: ObjectStoreBackend) -> "SafeBackend":
    """Wrap a backend in the full interface of `Backend`, with errors of this library.

    Raises:
        WiringError: It is not a backend; the message names the missing methods.
    """
    if isinstance(candidate, SafeBackend):
        return candidate
    backend = candidate if isinstance(candidate, Backend) else BackendAdapter(require_backend(candidate))
    return SafeBackend(backend)


class BackendAdapter(Backend):
    """Adds defaults to a backend that has the four required methods and possibly some of the optional ones."""

    def __init__(self, plain: ObjectStoreBackend) -> None:
        self._plain = plain
        self.blocking = bool(getattr(plain, "blocking", True))
        self.shared = bool(getattr(plain, "shared", False))
        for name in OPTIONAL:
            method = getattr(plain, name, None)
            if callable(method):
                setattr(self, name, method)

    def __repr__(self) -> str:
        return repr(self._plain)

    def generate_id(self) -> str:
        """As the plain backend."""
        return self._plain.generate_id()

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As the plain backend."""
        self._plain.set(key, value, ttl_seconds)

    def get(self, key: str) -> bytes | None:
        """As the plain backend."""
        return self._plain.get(key)

    def delete(self, key: str) -> bool:
        """As the plain backend."""
        return self._plain.delete(key)

    def _named(self) -> str:
        return type(self._plain).__name__


class SafeBackend(BackendWrapper):
    """A backend whose unexpected exceptions become `ObjectStoreUnavailable`, without their text."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.guard = _TranslatedErrors(backend)

    def __repr__(self) -> str:
        return repr(self.backend)


class _TranslatedErrors:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, CoatcheckError):
            name = self._backend._named()  # noqa: SLF001  # of the same family
            logger.debug("The backend %s failed", name, exc_info=error)
            raise ObjectStoreUnavailable(
                f"The object store is unavailable ({name}: {type(error).__name__}). Try again later."
            ) from error
