"""The first and last lines of a text, found without going through the rest of it."""

from dataclasses import dataclass
from typing import Literal

COUNTED = 4_000_000
"""Characters up to which lines are counted; in longer texts their number is estimated from three windows."""
WINDOW = 65_536
"""Characters in which a line must end, in texts that are not counted, for its length to be known."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many lines a text has, and whether that is exact."""

    lines: int
    exact: bool

    def __str__(self) -> str:
        noun = "line" if self.lines == 1 else "lines"
        return f"{self.lines:,} {noun}" if self.exact else f"about {self.lines:,} {noun} (estimated)"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: the characters from ``start`` to ``end`` without its line break.

    ``goes_on`` says where the same line goes on, for how long is not known: ``"before"`` the start, ``"after"`` the
    end, or nowhere (``""``).
    """

    start: int
    end: int
    goes_on: Literal["", "before", "after"] = ""

    @property
    def length(self) -> int:
        """Characters."""
        return self.end - self.start


def count_lines(text: str) -> Count:
    """Count the lines of a text, as an editor does: a line break at the very end begins none."""
    total = len(text)
    if total <= COUNTED:
        return Count(text.count("\n") + (total > 0 and not text.endswith("\n")), exact=True)
    starts = (0, (total - WINDOW) // 2, total - WINDOW)
    breaks = sum(text.count("\n", start, start + WINDOW) for start in starts)
    return Count(max(round(breaks * total / (3 * WINDOW)), 1), exact=False)


def first_lines(text: str, most: int) -> list[Line]:
    """Give the first lines; a line whose end is not found within reach is the last of them."""
    reach = len(text) if len(text) <= COUNTED else WINDOW
    found: list[Line] = []
    start = 0
    while start < len(text) and len(found) < most:
        end = text.find("\n", start, start + reach)
        if end < 0:
            end = min(start + reach, len(text))
            found.append(Line(start, end, "" if end == len(text) else "after"))
            break
        found.append(Line(start, end))
        start = end + 1
    return found


def last_lines(text: str, most: int, after: int) -> list[Line]:
    """Give the last lines that begin at ``after`` or later, in the order of the text."""
    reach = len(text) if len(text) <= COUNTED else WINDOW
    found: list[Line] = []
    end = len(text) - 1 if text.endswith("\n") else len(text)
    while end >= after and len(found) < most:
        low = max(end - reach, 0)
        start = text.rfind("\n", low, end) + 1
        if start == 0 and low > 0:
            found.append(Line(max(low, after), end, "before"))
            break
        if start < after:
            break
        found.append(Line(start, end))
        end = start - 1
    return found[::-1]
