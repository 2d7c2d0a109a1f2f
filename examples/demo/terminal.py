"""Prints a table, calls with their answers, and temporary progress lines."""

import os
import sys
from collections.abc import Sequence
from textwrap import wrap
from typing import TextIO

WIDTH = 110
"""Characters after which a line of an answer is cut."""


class Terminal:
    """Plain text on stdout, coloured on a terminal unless ``NO_COLOR`` is set; progress on stderr."""

    def __init__(self, out: TextIO | None = None, progress: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._progress = progress or sys.stderr
        self._under_way = False
        self._colours = self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def line(self, text: str = "") -> None:
        """Print a line."""
        if self._under_way:
            print("\r\x1b[K", end="", file=self._progress, flush=True)
            self._under_way = False
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        """Print a heading after an empty line."""
        self.line()
        self.line(self._styled(text, "1"))

    def step(self, text: str) -> None:
        """Print the current step: in place on a terminal, else on a separate line."""
        if self._progress.isatty():
            print(f"\r\x1b[K{text}", end="", file=self._progress, flush=True)
            self._under_way = True
        else:
            print(text, file=self._progress, flush=True)

    def table(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows under their names (of two lines each): the first column to the left, the others to the right."""
        heads = list(zip(*(name.split("\n") for name in names), strict=True))
        widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]

        def joined(row: Sequence[str]) -> str:
            first, *others = zip(row, widths, strict=True)
            return "   ".join(
                ["  " + first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
            ).rstrip()

        for head in heads:
            self.line(self._styled(joined(head), "2"))
        for row in rows[:-1]:
            self.line(joined(row))
        self.line("  " + "-" * (sum(widths) + 3 * (len(widths) - 1)))
        self.line(self._styled(joined(rows[-1]), "1"))

    def call(self, tool: str, arguments: Sequence[str], answer: str, lines: int = 2) -> None:
        """Print a call and the first lines of its answer."""
        text = f"{tool}({', '.join(arguments)})"
        if len(text) > WIDTH:
            text = "\n".join([f"{tool}(", *(f"    {argument}," for argument in arguments), ")"])
        for each in text.splitlines():
            for number, part in enumerate(wrap(each, WIDTH, drop_whitespace=False, break_long_words=False)):
                self.line("  " + self._styled(("      " if number else "") + part.rstrip(), "36"))
        shown = [line for line in answer.splitlines() if line.strip()]
        for each in shown[:lines]:
            self.line("    " + (each if len(each) <= WIDTH else each[: WIDTH - 1] + "…"))
        if len(shown) > lines:
            self.line(self._styled(f"    … and {len(shown) - lines:,} more lines", "2"))

    def good(self, text: str) -> None:
        """Print a line for a true claim."""
        self.line("  " + self._styled("ok", "32") + f"  {text}")

    def bad(self, text: str) -> None:
        """Print a line for a false claim."""
        self.line("  " + self._styled("FAILED", "1;31") + f"  {text}")

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours else text
