"""Objects in the store: encoded, or as a line of a listing."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck import codec
from coatcheck.codec import Metadata
from coatcheck.errors import ObjectUnreadable, ReferenceSyntaxError, excerpt


class StoredObject(NamedTuple):
    """An object of the store, not decoded yet.

    Attributes:
        object_id: Its id, without ``@``.
        metadata: Its metadata, known without decoding.
        payload: Its encoded value; see ``coatcheck.codec``.
    """

    object_id: str
    metadata: Metadata
    payload: memoryview

    def value(self) -> Any:
        """Decode the value; a tool result is returned as the smallest lossless JSON."""
        return codec.decode(self.metadata, self.payload)

    def result(self) -> dict[str, Any] | None:
        """Decode a tool result exactly as it was on the wire; ``None`` if the object is not a tool result."""
        return codec.decode_result(self.metadata, self.payload)

    def text(self) -> str | None:
        """Return the text exactly as it was stored; ``None`` if the object is not a text."""
        if self.metadata.kind == "text":
            return str(self.value())
        result = self.result()
        if result is not None:
            return codec.result_text(result)
        return str(self.value()) if self.metadata.type == "string" else None

    def json(self) -> str:
        """Return the payload of a non-text, which is JSON already; decoding it would block the event loop."""
        try:
            return str(self.payload, "utf-8")
        except ValueError as error:
            raise ObjectUnreadable from error


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """One line of a listing.

    Attributes:
        object_id: The id.
        metadata: Its metadata.
        start: The first few hundred bytes of its payload; empty if it is compressed or encoded by a codec.
    """

    object_id: str
    metadata: Metadata
    start: bytes = b""


def newest_first(heads: Iterable[tuple[str, bytes | None]]) -> list[ObjectSummary]:
    """Parse the entries of a listing: ids, each with the first ``HEAD_BYTES`` bytes of its stored data."""
    found = []
    for name, head in heads:
        if head is not None:
            with suppress(ObjectUnreadable):  # an entry of another version must not hide the others
                metadata, start = codec.unpack(head)
                found.append(ObjectSummary(name, metadata, bytes(start) if metadata.is_plain else b""))
    return sorted(found, key=lambda summary: summary.metadata.created, reverse=True)


def refuse_reference(object_id: str) -> None:
    """Raise ``ReferenceSyntaxError`` for a reference in place of an id, which would only ever be "not found"."""
    if object_id.startswith("@"):
        raise ReferenceSyntaxError(
            f"{excerpt(object_id)} is a reference, and the store takes ids such as obj_001, without @ and path. "
            "Explorer.resolve() takes references."
        )
