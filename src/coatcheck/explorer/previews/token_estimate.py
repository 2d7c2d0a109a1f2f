"""How many tokens a model would read of a value, estimated from a few parts of it.

Counting takes 40 ms for each megabyte, and the tokenizer's vocabulary is a download. A token is mostly a part of a
word with the sign or space before it, three digits, or a few signs. The estimate is within 15 % of o200k for 23 of 25
recorded results, among them all that are JSON, logs or source code, and within 26 % for the others (tables of places,
pages of links); four characters for each token are within 15 % for 5.
"""

import re
from collections.abc import Iterator
from typing import Any

from coatcheck.explorer.previews.wording import INTEGER_BITS

WINDOWS = 8
WINDOW = 125
"""Characters of each part that is looked at."""

_CONSTANTS = {None: "null,", True: "true,", False: "false,"}
_TOKEN = re.compile(
    r"[^\r\nA-Za-z0-9]?(?:[A-Z]?[a-z]{1,7}|[A-Z]{1,2})|\d{1,3}| ?[^\sA-Za-z0-9\x80-\uffff]{1,3}\n*|[^\x00-\x7f]{1,2}"
    r"|\s*\n\s*|\s+"
)


def estimate_tokens(value: Any, characters: int) -> int:
    """Estimate the tokens of a value that has so many characters as text; the cost does not depend on its size."""
    sample = _windows(value) if isinstance(value, str) else _start(value)
    if not sample:
        return 0
    return round(len(_TOKEN.findall(sample)) * characters / len(sample))


def _windows(text: str) -> str:
    if len(text) <= WINDOWS * WINDOW:
        return text
    step = (len(text) - WINDOW) // (WINDOWS - 1)
    return "".join(text[place * step : place * step + WINDOW] for place in range(WINDOWS))


def _start(value: Any) -> str:
    """Write the start of a value about as JSON does."""
    parts: list[str] = []
    room = WINDOWS * WINDOW
    waiting: list[Iterator[Any]] = [iter((value,))]
    while waiting and room > 0:
        for part in waiting[-1]:
            if isinstance(part, (dict, list, tuple)):
                waiting.append(_members(part) if isinstance(part, dict) else iter(part))
                parts.append("{" if isinstance(part, dict) else "[")
                break
            text = (
                part if isinstance(part, _Name) else f'"{part[:WINDOW]}",' if isinstance(part, str) else _scalar(part)
            )
            parts.append(text)
            room -= len(text)
            if room <= 0:
                break
        else:
            waiting.pop()
            parts.append("},")
    return "".join(parts)


def _members(value: dict[Any, Any]) -> Iterator[Any]:
    for name, member in value.items():
        yield _Name(f'"{str(name)[:WINDOW]}":')
        yield member


class _Name(str):
    """A key as it is written."""

    __slots__ = ()


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
        return "0" * WINDOW  # Python refuses to write very long ones
    return f"{value}," if isinstance(value, (int, float)) else ""
