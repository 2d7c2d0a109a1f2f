"""Reads the values of references: as Python values, as text, or as encoded JSON that is inserted as it is."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from coatcheck import codec
from coatcheck.codec import DECODED_AT_ONCE, Chunks, Metadata, Spliced
from coatcheck.errors import ArgumentRejected, excerpt
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.operations.resolving import Sample, sample_of
from coatcheck.references import Reference
from coatcheck.store.call_mode import CallMode
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.stored_object import StoredObject

MOST_BYTES_FOR_A_CALL = 256 * 1024 * 1024
"""Maximum bytes of all references in the arguments of a call; a repeated one counts each time."""


_BYTES = re.compile(r'\{"\$base64":"([A-Za-z0-9+/=]*)","bytes":\d+\}')


@dataclass(slots=True)
class Found:
    """The value of a reference.

    Attributes:
        value: The value; ``Spliced`` if JSON was requested and it is large.
        size: Its stored bytes.
        sample: A sample of a large value.
        is_null: Whether text was requested and the value is ``null``.
        chunks: Parts of a large value, which the caller frees; see ``codec.free_chunks``.
    """

    value: Any
    size: int
    sample: Sample | None = None
    is_null: bool = False
    chunks: Chunks = field(default_factory=list, repr=False)


class Allowance:
    """The budget, in bytes, for the values of all references in a call."""

    def __init__(self, left: int = MOST_BYTES_FOR_A_CALL) -> None:
        self._most = self._left = left

    def take(self, found: Found, reference: str) -> None:
        """Count the value of a reference.

        Raises:
            ArgumentRejected: The values together exceed the budget.
        """
        self._left -= found.size
        if self._left < 0:
            raise ArgumentRejected(
                f"The references in these arguments stand for more than {self._most:,} bytes together, "
                f"{excerpt(reference)} alone for {found.size:,}. Use each large object once, or "
                "paths that lead to smaller parts."
            )


Resolve = Callable[[dict[str, Any]], Awaitable[Answer]]


@dataclass(slots=True)
class ReferenceValue:
    """Reads the value of a reference."""

    store: ObjectStore  # the object store
    mode: CallMode  # how to call functions that may wait
    target: Reference  # the reference
    resolve: Resolve  # runs the operation `resolve` on it, with more arguments
    known: StoredObject | None = None  # the object, if it was read before

    async def _read(self) -> StoredObject:
        if self.known is not None:
            return self.known
        return await self.mode.call(self.store.read, self.store.aread, self.target.object_id)

    async def value(self, *, opened: bool = False) -> Found:
        """Return the value; with ``opened``, that of a text that is a document or a table is what it represents."""
        if not self.target.path and not opened:
            stored = await self._read()
            if not _is_for_a_worker(stored):
                return await self._decoded(stored.metadata, stored.payload)
        answer = await self.resolve({"opened": opened})
        return await self._decoded(*_payload_of(answer))

    async def text(self) -> Found:
        """Return the stored text, the base64 of bytes, or the JSON of another value."""
        if not self.target.path:
            stored = await self._read()
            if not _is_for_a_worker(stored):
                text = stored.text()
                if text is None and stored.metadata.kind == "json":
                    text = stored.json()
                if text is None:
                    text = codec.dump_json(stored.value()).decode()
                is_null = stored.metadata.kind == "json" and text == "null"
                return Found(_base64_of(text), stored.metadata.size, is_null=is_null)
        answer = await self.resolve({"as_text": True})
        metadata, payload = _payload_of(answer)
        return Found(
            _base64_of(StoredObject("", metadata, memoryview(payload)).value()),
            metadata.size,
            is_null=answer.facts.get("null") is True,
        )

    async def json(self, *, sampled: bool) -> Found:
        """Return the value of a small object, or the JSON of a large one, with a sample if requested."""
        if not self.target.path:
            stored = await self._read()
            if stored.metadata.size <= DECODED_AT_ONCE:
                return _found(stored.value(), stored.metadata.size)
            if stored.metadata.kind == "text":
                return await self._spliced(stored.metadata, stored.payload, None)
            if stored.metadata.kind == "json":
                options = {"sample": True, "sample_alone": True}
                answer = await self.resolve(options) if sampled else None
                return await self._spliced(stored.metadata, stored.payload, answer)
        answer = await self.resolve({"sample": sampled})
        metadata, payload = _payload_of(answer)
        return await self._spliced(metadata, payload, answer)

    async def _decoded(self, metadata: Metadata, payload: bytes | memoryview) -> Found:
        chunks: Chunks = []
        value = await self.mode.call(_decode, codec.adecode, metadata, payload, chunks)
        return _found(value, metadata.size, chunks)

    async def _spliced(self, metadata: Metadata, payload: bytes | memoryview, answer: Answer | None) -> Found:
        if metadata.size <= DECODED_AT_ONCE or metadata.kind == "text":
            value = codec.decode(metadata, payload)
            if metadata.size <= DECODED_AT_ONCE:
                return _found(value, metadata.size)
            text = str(value)
            return Found(await codec.splice_text(text), metadata.size, sample_of(text))
        if metadata.careful or not await codec.is_strict_json(payload):
            # A line break would end the line that it is inserted into; another program may have stored it for that
            # purpose.
            return await self._decoded(metadata, payload)
        sample = None if answer is None else Sample.from_facts(answer.facts.get("sample"))
        return Found(Spliced(payload), metadata.size, sample)


def _base64_of(text: str) -> str:
    """Return the base64 alone if a text is the JSON form of bytes: a parameter for text takes a file in this form."""
    found = _BYTES.fullmatch(text)
    return text if found is None else found[1]


def _decode(metadata: Metadata, payload: bytes | memoryview, _: Chunks | None) -> Any:
    return codec.decode(metadata, payload)


def _found(value: Any, size: int, chunks: Chunks | None = None) -> Found:
    return Found(value, size, sample_of(value) if size > DECODED_AT_ONCE else None, chunks=chunks or [])


def _is_for_a_worker(stored: StoredObject) -> bool:
    """Whether decoding a tool result would block the event loop."""
    return stored.metadata.kind == "result" and stored.metadata.size > DECODED_AT_ONCE


def _payload_of(answer: Answer) -> tuple[Metadata, bytes]:
    return Metadata.from_dict(answer.metadata or {}), answer.payload or b""
