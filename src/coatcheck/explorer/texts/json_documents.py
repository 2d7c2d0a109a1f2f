"""JSON in a text: one document, JSON Lines, several consecutive documents, or one document inside prose."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from coatcheck.codec import open_json_text
from coatcheck.codec.exact_json import EXACT
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

FEWEST = 2
MOST_STARTS_TRIED = 20
"""Maximum number of positions at which a document inside a text may start. Each costs at most one scan of the text."""
LEAST_PART = 20
"""A document inside a text is at least one part in so many of it."""
START = 4000
FEWEST_LINES = 3
"""Lines of JSON in that many characters of a text that does not begin with one."""
ROWS_FOR_EACH_OTHER = 9
"""JSON Lines have at least nine rows for each other line, so that what is left out is little."""
MOST_OTHER_AT_START = 10
"""Other lines after which a text without enough rows is not read further."""
LONGEST_CUT = 1_000_000
"""Characters up to which a document that is cut off is read, a second at the most."""
MOST_DOCUMENTS = 1_000_000
_SPACE = late_pattern(r"[ \t\r\n,]*")
_TWICE = late_pattern(r'\s*"(?:\\[nrt]|\s)*[\[{]')
_TOKEN = late_pattern(r'[\[\]{},]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}
_START = late_pattern(r"[\[{](?=\s*[\[{\"\d\-\]}tfn])(?<![^\s:`].)")


def open_json(text: str) -> Opened | None:
    """Parse a text that is entirely JSON: a document, lines of documents, or several documents."""
    start = text.lstrip()[:1] if text[:1].isspace() else text[:1]
    if start == '"':
        value = _encoded_twice(text)
        return None if value is None else Opened(value, "JSON in a JSON string")
    if start not in {"{", "["}:
        return _lines(text) if text.count("\n{", 0, START) >= FEWEST_LINES else None
    value = _whole(text)
    return Opened(value, "JSON") if value is not None else _lines(text) or _several(text)


def open_json_inside(text: str) -> Opened | None:
    """Parse the JSON documents that make up most of a text, in Markdown fences or inside prose: mostly one."""
    half = len(text) // 2
    if text.rfind("]", half) < 0 and text.rfind("}", half) < 0:
        return None
    found: list[tuple[Any, int, int]] = []
    position = 0
    for _ in range(MOST_STARTS_TRIED):
        start = _START.search(text, position)
        if start is None or (start.start() > half and not found):
            break
        begin = start.start()
        read = _read(text, begin)
        position = begin + 1 if read is None else read[1]
        if read is not None and LEAST_PART * (position - begin) >= len(text):
            found.append((read[0], begin, position))
    if 2 * sum(end - begin for _, begin, end in found) < len(text):
        return None
    spans = [(text.count("\n", 0, begin), text.count("\n", 0, end)) for _, begin, end in found]
    ends = pairwise([(0, -1), *spans, (text.count("\n") + 1, 0)])
    other = [line for (_, last), (first, _) in ends for line in range(last + 1, first)]
    where = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)
    where = f"line{'' if where.isdecimal() else 's'} {where}"
    if len(found) == 1:
        return Opened(found[0][0], f"JSON ({where})", other)
    if text.lstrip()[0] in "[{":
        return None  # documents in a row, of which one is broken
    return Opened([value for value, _, _ in found], f"{len(found)} JSON documents ({where})", other)


def _whole(text: str) -> Any:
    """Parse a text that is one list or dict, with all digits of its integers; NaN becomes null."""
    value = open_json_text(text)
    if value is not None:
        return value if isinstance(value, (dict, list)) else None
    read = _read(text, _end_of_space(text, 0))
    return read[0] if read is not None and _end_of_space(text, read[1]) == len(text) else None


def _encoded_twice(text: str) -> Any:
    """Parse the document in a text that is one JSON string: a tool that returns JSON as text was encoded again."""
    if _TWICE.match(text) is None or text.rstrip()[-1:] != '"':
        return None
    try:
        return _whole(json.loads(text))
    except ValueError:
        return None


def _lines(text: str) -> Opened | None:
    """Parse lines of documents; a cut last line and a few others (words of a program between them) are left out."""
    values: list[Any] = []
    other: list[int] = []
    number, line = -1, ""
    for number, line in enumerate(text.rstrip().split("\n")):
        if not line.strip():
            continue
        value = _whole(line) if line.lstrip()[:1] in {"{", "["} else None
        if value is not None:
            values.append(value)
        elif len(other) > MOST_OTHER_AT_START + len(values) // ROWS_FOR_EACH_OTHER:
            return None
        else:
            other.append(number)
    if len(values) < FEWEST:
        return None
    if not other:
        return Opened(values, "JSON Lines")
    is_last = other == [number]
    if is_last and line[:1] in {"{", "["}:
        return Opened(values, "JSON Lines (the last line is cut off and left out)", other)
    if not is_last and len(values) < ROWS_FOR_EACH_OTHER * len(other):
        return None
    which = f"line {other[0]} is" if len(other) == 1 else f"{len(other):,} lines from line {other[0]} on are"
    return Opened(values, f"JSON Lines ({which} not JSON and left out)", other)


def open_cut_json(text: str) -> Opened | None:
    """Parse a JSON document whose end a program has cut off: all complete items of its outermost unfinished list."""
    is_read = len(text) <= LONGEST_CUT and text.lstrip()[:1] in {"{", "["}
    closing, ends = _unfinished(text) if is_read else ([], [])
    depth = closing.index("]") if "]" in closing else max((n for n, found in enumerate(ends) if found), default=0)
    for end in reversed(ends[depth][:2] if ends else []):
        if 2 * end < len(text):
            break
        value = _whole(text[:end] + "".join(reversed(closing[: depth + 1])))
        if value is not None:
            return Opened(value, "JSON (cut off; the incomplete last part is left out)")
    return None


def _unfinished(text: str) -> tuple[list[str], list[list[int]]]:
    """Return how the containers that are open at the end of a text close, and where the latest parts of each end.

    These are a comma and what ends behind it; words behind a document may have brackets too.
    """
    closing: list[str] = []
    ends: list[list[int]] = []
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in _CLOSING:
            closing.append(_CLOSING[sign])
            ends.append([])
        elif sign == "," and ends:
            ends[-1] = [token.start()]
        elif sign in _CLOSING.values():
            if len(closing) < FEWEST or closing.pop() != sign:
                return [], []  # complete, or no JSON
            ends.pop()
            ends[-1].append(token.end())
        elif sign == '"' or not sign.endswith('"'):
            break  # a string without an end
    return closing, ends


def _several(text: str) -> Opened | None:
    values = []
    for value, end in _documents(text):
        values.append(value)
        if end == len(text) and len(values) >= FEWEST:
            return Opened(values, f"{len(values):,} JSON documents in a row")
    return None


def _documents(text: str) -> Iterator[tuple[Any, int]]:
    """Yield consecutive documents, each with the start of the next one."""
    position = _end_of_space(text, 0)
    for _ in range(MOST_DOCUMENTS):
        if position >= len(text):
            return
        read = _read(text, position)
        if read is None:
            return
        position = _end_of_space(text, read[1])
        yield read[0], position


def _end_of_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()


def _read(text: str, position: int) -> tuple[Any, int] | None:
    """Parse one list or dict at a position; return it with its end."""
    try:
        value, end = EXACT.raw_decode(text, position)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, (dict, list)) else None
