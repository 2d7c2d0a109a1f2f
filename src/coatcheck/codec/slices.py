"""Encode a large value in slices, so that nothing else on the event loop waits for it."""

from collections.abc import Iterator
from itertools import chain, islice
from operator import length_hint
from time import perf_counter
from typing import Any

from anyio.lowlevel import checkpoint

from coatcheck.codec.encoding import Encoded, describe_payload, encode, try_dump
from coatcheck.codec.results import ToolResult

SLICE_NODES = 20_000
"""Values that are encoded in one go; about 2 ms of work on the machine it was measured on."""

SLICE_BYTES = 1_000_000
"""Encoded bytes that a slice aims at; about 2 ms of work on the machine it was measured on."""

PAUSE_AFTER = 0.004
"""Seconds of work after which the event loop gets its turn."""

LONG_MEMBER = 1000
"""Items, keys or characters from which on a part of an item is looked into before its slice is encoded."""

CHARACTERS_PER_NODE = 100
_FIRST_SLICE = 64


async def aencode(value: Any) -> Encoded:
    """Encode any value like ``encode``, giving the event loop its turn every few milliseconds.

    Two things are encoded in one piece, however large: a single object that is no plain list or dict (a pydantic
    model, a dataclass), and a part hidden at least two levels deep in one of many items that are small otherwise.
    """
    if isinstance(value, (str, ToolResult)) or _is_light(value):
        return encode(value)
    pieces: list[bytes] = []
    careful = False
    started = perf_counter()
    for piece, was_careful in _pieces(value, frozenset()):
        pieces.append(piece)
        careful = careful or was_careful
        if perf_counter() - started > PAUSE_AFTER:
            await checkpoint()
            started = perf_counter()
    return describe_payload(value, b"".join(pieces), careful=careful)


def _pieces(value: Any, inside: frozenset[int]) -> Iterator[tuple[bytes, bool]]:
    """Yield the JSON of ``value`` in pieces, each with whether it took the careful encoder."""
    kind = type(value)
    if id(value) in inside or _is_light(value):
        yield try_dump(value)
    elif kind is list or kind is tuple:
        yield from _items(value, inside | {id(value)})
    elif kind is dict and set(map(type, value)) == {str}:
        yield from _members(value, inside | {id(value)})
    else:
        yield try_dump(value)


def _items(value: list[Any] | tuple[Any, ...], inside: frozenset[int]) -> Iterator[tuple[bytes, bool]]:
    start, size, comma = 0, _FIRST_SLICE, b"["
    while start < len(value):
        batch = value[start : start + size]
        if _fits_one_slice(batch, first=start == 0):
            piece, careful = try_dump(batch)
            yield comma + piece[1:-1], careful
            start += len(batch)
            size = max(min(size * 2, SLICE_BYTES * len(batch) // len(piece)), 1)
        elif len(batch) > 1:
            size = max(len(batch) // 8, 1)
            continue
        else:
            yield comma, False
            yield from _pieces(batch[0], inside)
            start += 1
        comma = b","
    yield b"]", False


def _members(value: dict[str, Any], inside: frozenset[int]) -> Iterator[tuple[bytes, bool]]:
    rest: Iterator[tuple[str, Any]] = iter(value.items())
    size, comma, first = _FIRST_SLICE, b"{", True
    while batch := list(islice(rest, size)):
        if _fits_one_slice([member for _, member in batch], first=first):
            piece, careful = try_dump(dict(batch))
            yield comma + piece[1:-1], careful
            size = max(min(size * 2, SLICE_BYTES * len(batch) // len(piece)), 1)
        elif len(batch) > 1:
            rest, size = chain(batch, rest), max(len(batch) // 8, 1)
            continue
        else:
            name, member = batch[0]
            piece, careful = try_dump({name: None})
            yield comma + piece[1 : -len(b"null}")], careful
            yield from _pieces(member, inside)
        comma, first = b",", False
    yield b"}", False


def _fits_one_slice(batch: list[Any] | tuple[Any, ...], *, first: bool) -> bool:
    """Whether a batch can be encoded in one go; its size was chosen by what earlier ones took."""
    if first or len(batch) == 1:
        return _is_light(batch)
    kinds = set(map(type, batch))
    if kinds == {dict}:
        parts: Any = chain.from_iterable(map(dict.values, batch))
    elif kinds == {list}:
        parts = chain.from_iterable(batch)
    else:
        parts = batch
    longest = max(map(length_hint, batch))
    # C code alone from here to the answer: this runs for every item of every large value.
    return (longest <= LONG_MEMBER and max(map(length_hint, parts), default=0) <= LONG_MEMBER) or _is_light(batch)


def _is_light(value: Any) -> bool:
    """Whether a value has at most ``SLICE_NODES`` parts; never looks at more than that, and goes level by level."""
    level: list[Any] = [value]
    weight = 0
    while level:
        weight += len(level)
        below: list[Any] = []
        for item in level:
            if isinstance(item, (list, tuple)):
                below.extend(item if len(item) <= SLICE_NODES else item[: SLICE_NODES + 1])
            elif isinstance(item, dict):
                below.extend(item.values() if len(item) <= SLICE_NODES else islice(item.values(), SLICE_NODES + 1))
            elif isinstance(item, str):
                weight += len(item) // CHARACTERS_PER_NODE
            if weight + len(below) > SLICE_NODES:
                return False
        level = below
    return True
