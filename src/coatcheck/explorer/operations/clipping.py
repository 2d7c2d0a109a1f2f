"""Shortens text to a limit of characters, with a remark about the omitted part."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

ELLIPSIS = "…"


def clip(text: str, limit: int) -> str:
    """Cut a text to at most ``limit`` characters; a cut text ends with an ellipsis."""
    if len(text) <= limit:
        return text
    return text[: limit - 1] + ELLIPSIS if limit > 0 else ""


def cut_middle(text: str, limit: int) -> str:
    """Cut a text to at most ``limit`` characters, keeping both ends, with its length between them."""
    if len(text) <= limit:
        return text
    mark = f" {ELLIPSIS} [{len(text):,} characters in all] {ELLIPSIS} "
    available = limit - len(mark)
    if available < len(mark):
        return clip(text, limit)
    return f"{text[: available - available // 2]}{mark}{text[len(text) - available // 2 :]}"


def one_line(text: str) -> str:
    """Make line breaks and control characters visible, so that a text stays on one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _ESCAPES.get(c) or f"\\u{ord(c):04x}" for c in text)


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Page:
    """Lines that fit into a limit together with a final remark.

    ``reserve`` characters are kept free for the remark; ``head`` is cut if need be.
    """

    def __init__(self, limit: int, head: str, reserve: int = 200) -> None:
        self._limit = limit
        self._lines = [clip(head, limit)]
        self._used = len(self._lines[0])
        self._reserve = min(reserve, max(limit // 3, 0))
        self.count = 0

    @property
    def remaining(self) -> int:
        """Characters available for another line."""
        return max(self._limit - self._used - self._reserve - 1, 0)

    def add(self, line: str) -> bool:
        """Add a line; return ``False`` if it does not fit."""
        if len(line) > self.remaining:
            return False
        self._lines.append(line)
        self._used += len(line) + 1
        self.count += 1
        return True

    def finish(self, remark: str = "") -> str:
        """Return the text, with the remark as its last line."""
        lines = [*self._lines, remark] if remark else self._lines
        return clip("\n".join(lines), self._limit)


def fill(page: Page, lines: Iterable[str], left_out: Callable[[int], str]) -> str:
    """Add lines while they fit; ``left_out`` builds the remark from the number of lines on the page."""
    for line in lines:
        if not page.add(line):
            return page.finish(left_out(page.count))
    return page.finish(left_out(page.count))


def bounded_json(value: Any, limit: int) -> tuple[str, bool]:
    """Return the JSON of a value, or its first ``limit`` characters, and whether it is whole; the cost is bounded."""
    pieces: list[str] = []
    length = 0
    for piece in _pieces(value, limit):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(pieces)[: max(limit, 0)], False
    return "".join(pieces), True


def _pieces(value: Any, limit: int) -> Iterator[str]:
    pending: list[Iterator[str | tuple[Any]]] = [iter([(value,)])]
    while pending:
        item = next(pending[-1], None)
        if item is None:
            pending.pop()
        elif isinstance(item, str):
            yield item
        elif isinstance(item[0], dict):
            pending.append(_members(item[0]))
        elif isinstance(item[0], list):
            pending.append(_items(item[0]))
        else:
            yield scalar_json(item[0], limit)


def _members(value: dict[str, Any]) -> Iterator[str | tuple[Any]]:
    opening = "{"
    for key, member in value.items():
        yield f"{opening}{json.dumps(str(key), ensure_ascii=False)}: "
        yield (member,)
        opening = ", "
    yield "}" if opening != "{" else "{}"


def _items(value: list[Any]) -> Iterator[str | tuple[Any]]:
    opening = "["
    for item in value:
        yield opening
        yield (item,)
        opening = ", "
    yield "]" if opening != "[" else "[]"


def scalar_json(value: Any, limit: int) -> str:
    """Return the JSON of a text, number, boolean or null; of a long text at least its first ``limit`` characters."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= limit else value[: limit + 1], ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    from coatcheck.codec import dump_json

    return dump_json(value).decode()
