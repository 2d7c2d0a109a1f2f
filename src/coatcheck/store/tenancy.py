"""Who is calling: the namespace that the store asks for at every operation, and the ids that protect what is in it."""

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum

from coatcheck.errors import CALLER_IS_REMOTE

SHORT_ID_CHARACTERS = 6
"""Random characters of an id where a namespace protects it: 62^6, some 57 thousand million."""

REPLICAS_ID_CHARACTERS = 10
"""Random characters of a short id where any number of processes share a store and know nothing of each other's ids.

An id that is there already would be overwritten. 62^10 are 8.4 · 10^17: with a million live objects in one namespace,
one object in 8.4 · 10^11 is, which at a thousand new objects each second is one in 26 years.
"""

CAPABILITY_BYTES = 16
"""Random bytes of an id that is an object's only protection: 128 bits."""

NAMESPACE_CHARACTERS = 24
SHARED_NAMESPACE = "anybody"
"""Where the objects of all callers without an identity are."""

_ALPHABET = string.ascii_letters + string.digits


def short_id(characters: int = SHORT_ID_CHARACTERS) -> str:
    """An id of so many random letters and digits."""
    return "obj_" + "".join(secrets.choice(_ALPHABET) for _ in range(characters))


def replicas_id() -> str:
    """A short id for a store that replicas share."""
    return short_id(REPLICAS_ID_CHARACTERS)


class CallerKind(Enum):
    """How far a caller can be told from others."""

    LOCAL = "local"
    """One user owns the process: stdio, scripts, tests."""

    PRINCIPAL = "principal"
    """A request with a verified identity."""

    ANONYMOUS = "anybody"
    """A request over the network without one: an object's id is its only protection, so nothing can be listed.

    All of them share a namespace that is no other's: the short ids of the process's own objects are no protection
    against strangers who may guess as long as they like.
    """


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller.

    Attributes:
        kind: How far the caller can be told from others.
        principal: The verified identity, any text; never shown, logged or stored.
    """

    kind: CallerKind = CallerKind.LOCAL
    principal: str = ""


_LOCAL = Caller()


class Tenancy:
    """Answers, for the request that is being handled, which namespace it has and how its ids look.

    Args:
        secret: Key of the hash that turns an identity into a namespace. Replicas that share a store need the same one;
            without it a random one is made, and namespaces last as long as the process.
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
        """Handle everything inside for this caller."""
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
            return SHARED_NAMESPACE
        return hmac.digest(self._secret, scope.principal.encode(), "sha256").hex()[:NAMESPACE_CHARACTERS]

    def generate_id(self, protected: Callable[[], str] = short_id) -> str:
        """A new id: from ``protected`` where a namespace protects the object, else 128 random bits."""
        if self._current.get().kind is CallerKind.ANONYMOUS:
            return f"obj_{secrets.token_urlsafe(CAPABILITY_BYTES)}"
        return protected()

    def may_list(self) -> bool:
        """Whether the current caller may list objects."""
        return self._current.get().kind is not CallerKind.ANONYMOUS
