"""The chunked encoder: the same JSON as in one step, in chunks that are each encoded quickly."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from time import perf_counter
from typing import Any

from coatcheck.codec.chunked.size_estimate import BatchCounter, parts_of
from coatcheck.codec.json_encoders import (
    FAST_DEPTH,
    MAX_DEPTH,
    Spliced,
    convert,
    dump_fast,
    encode_fallback,
    is_utf8,
    key_name,
)

CHUNK_PARTS = 40_000
"""Parts of a value that are encoded in one step, in about 1 ms on the machine of the measurement."""

CHUNK_PARTS_FALLBACK = 2_000
"""The same for the fallback encoder, which is written in Python, in about 3 ms."""

CHUNK_BYTES = 128 * 1024
"""Target size of a chunk in bytes: small enough to stay in the CPU cache until it is copied."""

TEXT_CHARACTERS = 1_000_000
"""Characters of a string that are encoded in one step."""

LOOK_EVERY = 64
"""Members of a chunk between two checks of the clock."""

LONG_AFTER = 0.004
"""Seconds after which a chunk is aborted and made smaller, because its members are longer than earlier ones."""

FIRST_CHUNK = 64
"""Members of the first chunk, before their cost is known."""

_BLOCK = 8192
_SLICED = frozenset({list, tuple, dict, defaultdict})


class NeedsFallback(Exception):
    """The fast encoder refuses a part, and so would have refused the whole."""


class _ChunkTooSlow(Exception):
    """A chunk takes longer than earlier ones."""


class ChunkedEncoder:
    """Yields the JSON of a value in chunks that are each encoded quickly.

    It uses one of two encoders for the whole value, because they differ for some values.

    ``fallback`` selects it; the fast one raises ``NeedsFallback`` if it refuses a part.
    """

    def __init__(self, *, fallback: bool) -> None:
        self._fallback = fallback
        self._most_parts = CHUNK_PARTS_FALLBACK if fallback else CHUNK_PARTS
        self._counter = BatchCounter(self._most_parts)

    def encode(self, value: Any, depth: int = 0, inside: frozenset[int] = frozenset()) -> Iterator[bytes | memoryview]:
        """Encode a value below ``depth`` levels of containers, which are ``inside``."""
        kind = type(value)
        if kind is str and len(value) > TEXT_CHARACTERS:
            yield from self._text(value)
        elif kind is Spliced:
            yield value.json
        elif (
            kind not in _SLICED
            or self._ends_here(value, depth, inside)
            or parts_of(value, self._most_parts) is not None
        ):
            yield self._dump(value, depth, inside)
        else:
            yield from self._members(value, depth, inside | {id(value)})

    def _ends_here(self, value: Any, depth: int, inside: frozenset[int]) -> bool:
        """Whether a container is described instead of encoded, because it contains itself or is nested too deeply."""
        ends = id(value) in inside or depth >= (MAX_DEPTH if self._fallback else FAST_DEPTH)
        if ends and not self._fallback:
            raise NeedsFallback
        return ends

    def _members(self, value: Any, depth: int, inside: frozenset[int]) -> Iterator[bytes | memoryview]:
        """Encode a list, tuple or dict in chunks whose size depends on the time of earlier ones."""
        keyed = not isinstance(value, (list, tuple))
        yield b"{" if keyed else b"["
        size, comma = FIRST_CHUNK, b""
        for block in self._blocks(value, keyed=keyed):
            start = 0
            while start < len(block):
                members = block[start : start + size]
                batch: Any = dict(members) if keyed else members
                weight = self._counter.parts(batch, closely=start == 0 or len(batch) == 1)
                piece = None if weight is None else self._dump_batch(batch, depth, inside)
                if weight is not None and piece is not None:
                    yield comma
                    yield piece
                    start += len(batch)
                    size = self._next_size(len(batch), len(piece), weight)
                elif len(batch) > 1:
                    size = max(len(batch) // 8, 1)
                    continue
                else:
                    yield comma
                    if keyed:
                        yield self._name(members[0][0])
                    yield from self.encode(members[0][1] if keyed else members[0], depth + 1, inside)
                    start += 1
                comma = b","
        yield b"}" if keyed else b"]"

    def _blocks(self, value: Any, *, keyed: bool) -> Iterator[Any]:
        """Return the sequences of members to divide: a list itself, or lists of a dict's pairs."""
        if not keyed:
            yield value if isinstance(value, list) else list(value)
            return
        pairs = iter(value.items())
        taken: set[str] = set()
        while block := list(islice(pairs, _BLOCK)):
            if self._fallback:
                for position, (key, member) in enumerate(block):
                    name = key_name(key, taken)
                    taken.add(name)
                    block[position] = (name, member)
            yield block

    def _next_size(self, members: int, size: int, parts: int) -> int:
        """Choose the number of members of the next chunk from the time of the last one."""
        return max(min(2 * members, CHUNK_BYTES * members // size, self._most_parts * members // (2 * parts)), 1)

    def _dump(self, value: Any, depth: int, inside: frozenset[int]) -> bytes | memoryview:
        """Encode a value in one step."""
        if self._fallback:
            return encode_fallback(value, depth, inside)
        return _cut(_dump_fast(_nested(value, depth)), depth)

    def _dump_batch(self, batch: Any, depth: int, inside: frozenset[int]) -> memoryview | None:
        """Encode the members of a batch in one step, without brackets; ``None`` if it takes too long."""
        if self._fallback:
            return _cut(encode_fallback(batch, depth, inside), 1)
        watched = batch.copy()
        places = (
            islice(batch, LOOK_EVERY, None, LOOK_EVERY)
            if isinstance(batch, dict)
            else range(len(batch))[LOOK_EVERY::LOOK_EVERY]
        )
        for place in places:
            watched[place] = _TimedMember(watched[place])
        deadline = _Deadline()
        try:
            return _cut(dump_fast(_nested(watched, depth), deadline.look), depth + 1)
        except Exception:  # noqa: BLE001  # orjson's refusal, or whatever a foreign object's conversion raised
            return None if deadline.missed else _cut(_dump_fast(_nested(batch, depth)), depth + 1)

    def _name(self, name: Any) -> bytes:
        if type(name) is not str:
            raise NeedsFallback
        return bytes(_dump_fast(name)) + b":"

    def _text(self, text: str) -> Iterator[bytes | memoryview]:
        """Encode a long text; JSON escapes each character on its own, so that it may be cut anywhere."""
        write = _dump_fast if not self._fallback or is_utf8(text) else _dump_escaped
        yield b'"'
        for start in range(0, len(text), TEXT_CHARACTERS):
            yield _cut(write(text[start : start + TEXT_CHARACTERS]), 1)
        yield b'"'


class _TimedMember:
    """A member at which the clock is checked."""

    __slots__ = ("member",)

    def __init__(self, member: Any) -> None:
        self.member = member


class _Deadline:
    """The fast encoder's hook: returns timed members and converts others, until the time is over."""

    def __init__(self) -> None:
        self.missed = False
        self._end = perf_counter() + LONG_AFTER

    def look(self, value: Any) -> Any:
        """Convert a value for the fast encoder."""
        if type(value) is not _TimedMember:
            return convert(value)
        if perf_counter() > self._end:
            self.missed = True
            raise _ChunkTooSlow
        return value.member


def _dump_fast(value: Any) -> bytes:
    try:
        return dump_fast(value)
    except Exception as error:
        raise NeedsFallback from error


def _dump_escaped(text: str) -> bytes:
    return json.dumps(text).encode()


def _nested(value: Any, depth: int) -> Any:
    """Nest a part as deeply as in the whole, so that the fast encoder refuses the same values."""
    for _ in range(depth):
        value = [value]
    return value


def _cut(piece: bytes, ends: int) -> memoryview:
    """Remove this number of brackets at both ends, without a copy."""
    return memoryview(piece)[ends : len(piece) - ends]
