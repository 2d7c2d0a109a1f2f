"""The fast encoder: plain values at full speed; it refuses what it would change."""

import secrets
from collections.abc import Callable
from itertools import chain
from typing import Any

import orjson

from coatcheck.codec.careful import Spliced, convert

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS

LONG_SPLICED = 64 * 1024
"""Bytes from which on what is spliced in is put in its place by itself."""

_PLACE = b'"%b"' % secrets.token_hex(16).encode()  # nobody else knows it: it never leaves the process


def dump_fast(value: Any, default: Callable[[Any], Any] = convert, options: int = OPTIONS) -> bytes:
    """Encode as compact JSON; raises what orjson raises, or a foreign object that is asked for its contents."""
    return orjson.dumps(value, default=default, option=options)


def dump_line_fast(value: Any) -> bytes:
    """Encode like ``dump_fast``, with a newline behind it; what is long and spliced in is copied once, not twice."""
    long: list[bytes | memoryview] = []

    def converted(part: Any) -> Any:
        if isinstance(part, Spliced) and len(part.json) >= LONG_SPLICED:
            long.append(part.json)
            return orjson.Fragment(_PLACE)
        return convert(part)

    line = dump_fast(value, converted, OPTIONS | orjson.OPT_APPEND_NEWLINE)
    if not long:
        return line
    first, *others = line.split(_PLACE)
    return b"".join((first, *chain.from_iterable(zip(long, others, strict=True))))
