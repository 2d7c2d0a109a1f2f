"""Decodes JSON with integers of any size exactly."""

import decimal
import json
from itertools import chain
from math import isfinite
from typing import Any

import orjson

_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
BEYOND_64_BITS = 19
"""Digits that an integer of more than 64 bits has at least: the fast decoder returns it as a float."""

_CONVERTED_AT_ONCE = 2000
"""Digits that are converted in one step: conversion takes quadratic time, and Python refuses more than 4300."""

_BITS_AT_ONCE = 6600
"""Bits of an integer with this number of digits."""

MOST_LEVELS = 1024
"""Levels of lists and objects that are read, with the fast decoder too."""

_TOO_DEEP = "This JSON is nested too deeply."

MOST_DIGITS = 20_000
"""Maximum digits of an integer, which takes 2 ms; a longer one is kept as a string."""


def parse_exactly(text: str) -> Any:
    """Decode JSON text; raises ``ValueError`` if the text is not JSON, or nested too deeply.

    The fast decoder returns integers of more than 64 bits as floats, so texts that may contain one use another decoder.
    """
    return load_exactly(text) if has_digits(text, BEYOND_64_BITS) else load_json(text)


def has_digits(text: str | bytes, count: int) -> bool:
    """Whether a text has this many digits in a row.

    A regular expression takes longer than decoding the text as JSON; this takes a tenth of it.
    """
    encoded = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return b"0" * count in encoded.translate(_DIGITS)


def load_json(text: str | bytes | bytearray | memoryview) -> Any:
    """Decode JSON with the fast decoder, or with the other one if the fast one's buffer is too large for the memory.

    That buffer has twelve times the bytes of the JSON, most of which a long text does not need.

    Raises:
        ValueError: The text is not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith("Not enough memory"):
            raise
    return load_exactly(text)


def load_exactly(text: str | bytes | bytearray | memoryview) -> Any:
    """Decode JSON with integers of any size and lone surrogates, which the fast decoder changes or refuses.

    ``NaN`` and infinities are null, and so are numbers beyond a double, such as ``1e400``.

    Raises:
        ValueError: The text is not JSON, or nested too deeply.
    """
    text = text if isinstance(text, (str, bytes)) else bytes(text)
    try:
        value = EXACT.decode(
            text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass")
        )
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    opened = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if opened > MOST_LEVELS and has_more_levels(value, MOST_LEVELS):  # Python 3.13 reads more
        raise ValueError(_TOO_DEEP)
    return value


def has_more_levels(value: Any, levels: int) -> bool:
    """Whether a JSON value has more than this many levels of lists and objects."""
    level = [value]
    for _ in range(levels):
        parts = (part.values() if isinstance(part, dict) else part for part in level)
        level = [part for part in chain.from_iterable(parts) if isinstance(part, (dict, list))]
        if not level:
            return False
    return True


def any_integer(digits: str) -> int | str:
    """Convert the digits of an integer exactly; more than ``MOST_DIGITS`` are returned as text.

    The sender controls the length of a number, so this takes much less than quadratic time.
    """
    if len(digits) <= _CONVERTED_AT_ONCE:
        return int(digits)
    if len(digits) > MOST_DIGITS:
        return digits
    sign, unsigned = (-1, digits[1:]) if digits[0] == "-" else (1, digits.removeprefix("+"))
    return sign * _joined(unsigned, {})


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


EXACT = json.JSONDecoder(parse_int=any_integer, parse_float=_finite, parse_constant=lambda _: None)
"""Decodes as ``load_exactly`` does, but raises ``RecursionError`` for JSON that is nested too deeply."""


def _joined(digits: str, powers: dict[int, int]) -> int:
    if len(digits) <= _CONVERTED_AT_ONCE:
        return int(digits)
    lower = len(digits) // 2
    if lower not in powers:
        powers[lower] = 10**lower
    return _joined(digits[:-lower], powers) * powers[lower] + _joined(digits[-lower:], powers)


def digits_of(number: int) -> str:
    """Format an integer of any size; Python itself refuses more than 4300 digits."""
    if number.bit_length() <= _BITS_AT_ONCE:
        return int.__repr__(number)
    exact = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
    with decimal.localcontext(exact):
        return format(_as_decimal(int(number), {}), "f")


def _as_decimal(number: int, powers: dict[int, decimal.Decimal]) -> decimal.Decimal:
    """Convert by halves: multiplying decimals is fast, converting a long integer in one step is not."""
    if number.bit_length() <= _BITS_AT_ONCE:
        return decimal.Decimal(number)
    if number < 0:
        return -_as_decimal(-number, powers)
    lower = number.bit_length() // 2
    if lower not in powers:
        powers[lower] = decimal.Decimal(2) ** lower
    rest = number & ((1 << lower) - 1)
    return _as_decimal(number >> lower, powers) * powers[lower] + _as_decimal(rest, powers)
