"""The fast encoder: plain values at full speed; it refuses what it would change."""

from collections.abc import Callable
from typing import Any

import orjson

from coatcheck.codec.careful import convert

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
LINE_OPTIONS = OPTIONS | orjson.OPT_APPEND_NEWLINE
"""With a newline behind it: to add it later would copy the whole."""


def dump_fast(value: Any, default: Callable[[Any], Any] = convert, options: int = OPTIONS) -> bytes:
    """Encode as compact JSON; raises what orjson raises, or a foreign object that is asked for its contents."""
    return orjson.dumps(value, default=default, option=options)
