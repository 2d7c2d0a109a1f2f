"""Generates random object ids, whose length depends on what else protects an object."""

import secrets
import string

SHORT_ID_CHARACTERS = 6
"""Random characters of an id that a namespace protects: 62^6, about 57 billion."""

SHARED_FILE_ID_CHARACTERS = 8
"""Random characters if processes of one user share a file: 62^8, about 218 trillion."""

REPLICAS_ID_CHARACTERS = 10
"""Random characters of a short id in a store that any number of processes share without knowing each other's ids.

An existing id would be overwritten. 62^10 are 8.4 · 10^17: with a million live objects in one namespace,
one object in 8.4 · 10^11 is, which at a thousand new objects each second is one in 26 years.
"""

UNGUESSABLE_BYTES = 16
"""Random bytes of an id that is an object's only protection: 128 bits."""

_ALPHABET = string.ascii_letters + string.digits


def short_id(characters: int = SHORT_ID_CHARACTERS) -> str:
    """``obj_`` and this number of random letters and digits."""
    return "obj_" + "".join(secrets.choice(_ALPHABET) for _ in range(characters))


def replicas_id() -> str:
    """A short id for a store that replicas share."""
    return short_id(REPLICAS_ID_CHARACTERS)


def uuid_id() -> str:
    """``obj_`` and a random UUID: 122 random bits. The standard class takes twice as long."""
    text = secrets.token_hex(16)
    variant = "89ab"[int(text[16], 16) & 3]
    return f"obj_{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def unguessable_id() -> str:
    """An id that is an object's only protection."""
    return f"obj_{secrets.token_urlsafe(UNGUESSABLE_BYTES)}"
