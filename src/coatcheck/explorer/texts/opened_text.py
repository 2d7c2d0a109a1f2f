"""The parsed content of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Opened:
    """The parsed content of a text."""

    value: Any  # a list or a dict of plain JSON values
    format: str  # the format's name, for readers: `JSON`, `JSON Lines`, `CSV with columns …`
    other: Sequence[int] = ()  # the text's lines that the value leaves out

    def other_lines(self, text: str) -> list[tuple[int, str]]:
        """Return the lines of the text that the value leaves out, each with its number."""
        lines = text.removeprefix(BYTE_ORDER_MARK).split("\n") if self.other else []
        return [(number, lines[number]) for number in self.other]
