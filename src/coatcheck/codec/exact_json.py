"""JSON text to values with all digits of its integers, however large they are."""

import decimal
import json
from typing import Any

import orjson

_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_BEYOND_64_BITS = b"0" * 19
_CONVERTED_AT_ONCE = 4000
"""Digits up to which ``int()`` converts a text; it refuses more than 4300."""


def parse_exactly(text: str) -> Any:
    """Decode JSON text.

    The fast decoder gives integers of more than 64 bits as floats, so texts that may hold one go through another.

    Raises:
        ValueError: The text is no JSON, or nested too deeply.
    """
    # A regular expression took as long as reading the JSON; this takes a tenth of it.
    digits = text.encode("utf-8", "replace").translate(_DIGITS)
    return load_any_integers(text) if _BEYOND_64_BITS in digits else orjson.loads(text)


def load_any_integers(text: str | bytes) -> Any:
    """Decode JSON with integers of any size and lone surrogates; ``NaN`` and infinities are null.

    Raises:
        ValueError: The text is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_int=any_integer, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("This JSON is nested too deeply.") from None


def any_integer(digits: str) -> int:
    """Convert digits to an integer; at any length, which ``Decimal`` is exact at."""
    return int(digits) if len(digits) < _CONVERTED_AT_ONCE else int(decimal.Decimal(digits))
