"""Tenancy: the caller, and its namespace for every operation of the store."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum

from coatcheck.backends.object_ids import short_id, unguessable_id
from coatcheck.errors import CALLER_IS_REMOTE

NAMESPACE_CHARACTERS = 24
ANONYMOUS_NAMESPACE = "anonymous"
"""The namespace of all callers without an identity."""


class CallerKind(Enum):
    """How a caller is identified."""

    LOCAL = "local"
    """One user owns the process: stdio, scripts, tests."""

    PRINCIPAL = "principal"
    """A request with a verified identity."""

    ANONYMOUS = "anonymous"
    """A request over the network without an identity: an object's id is its only protection, so nothing can be listed.

    These callers share a separate namespace: the short ids of the process's own objects are no protection against
    callers who can guess any number of times.
    """


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller.

    Attributes:
        kind: How the caller is identified.
        principal: The verified identity, any text; never shown, logged or stored.

    Raises:
        ValueError: The kind is neither a `CallerKind` nor the value of one.
        TypeError: The identity is not a text.
    """

    kind: CallerKind = CallerKind.LOCAL
    principal: str = ""

    def __post_init__(self) -> None:
        """Check both: a caller of an unknown kind would get the rights of another kind."""
        object.__setattr__(self, "kind", CallerKind(self.kind))
        if not isinstance(self.principal, str):
            raise TypeError(f"Caller: principal must be a text, not {type(self.principal).__name__}.")


_LOCAL = Caller()


class Tenancy:
    """Determines the namespace of the current request and the form of its ids.

    Args:
        secret: Key of the hash that maps an identity to a namespace. Replicas that share a store need the same one; by
            default it is random, and namespaces last as long as the process.
    """

    def __init__(self, secret: bytes | str | None = None) -> None:
        if isinstance(secret, str):
            secret = secret.encode()
        self._secret = (
            hashlib.sha256(b"coatcheck namespaces\0" + secret).digest() if secret else secrets.token_bytes(32)
        )
        self._current: ContextVar[Caller] = ContextVar("coatcheck_scope", default=_LOCAL)

    @contextmanager
    def enter(self, scope: Caller) -> Iterator[None]:
        """Set the current caller within a block."""
        if not isinstance(scope, Caller):
            raise TypeError(f"enter() takes a Caller(CallerKind.PRINCIPAL, …), not {type(scope).__name__}.")
        token = self._current.set(scope)
        remote = CALLER_IS_REMOTE.set(scope.kind is not CallerKind.LOCAL)
        try:
            yield
        finally:
            CALLER_IS_REMOTE.reset(remote)
            self._current.reset(token)

    def namespace(self) -> str:
        """The current caller's namespace: ``""`` for the process's one user, else a keyed hash of the identity."""
        scope = self._current.get()
        if scope.kind is CallerKind.LOCAL:
            return ""
        if scope.kind is CallerKind.ANONYMOUS:
            return ANONYMOUS_NAMESPACE
        return hmac.digest(self._secret, scope.principal.encode(), "sha256").hex()[:NAMESPACE_CHARACTERS]

    def generate_id(self, protected: Callable[[], str] = short_id) -> str:
        """A new id: from ``protected`` if a namespace protects the object, else 128 random bits."""
        if self._current.get().kind is CallerKind.ANONYMOUS:
            return unguessable_id()
        return protected()

    def may_list(self) -> bool:
        """Whether the current caller may list objects."""
        return self._current.get().kind is not CallerKind.ANONYMOUS
