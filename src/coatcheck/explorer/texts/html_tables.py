"""The tables of HTML as lists of objects, if they make up most of a page.

Cells are their text without tags; columns of numbers become numbers as in CSV. A cell that spans rows or columns is
repeated in them. Headings of several rows are joined. Tables that hold other tables are layout.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.csv_tables import MOST_COLUMNS, has_header, typed, unique_names
from coatcheck.explorer.texts.opened_text import Opened

MOST_CHARACTERS = 1_000_000
MOST_CELLS = 500_000
MOST_LEVELS = 20
FEWEST_ROWS = 3
FEWEST_COLUMNS = 2
SHORTER = 2
"""Tables make up at least one part in so many of a page."""
_START = late_pattern(r"\s{0,100}<(?:!doctype\s+html|html\b|table\b)", re.IGNORECASE)
_ROW = late_pattern(r"<tr\b", re.IGNORECASE)
_UNSHOWN = frozenset({"script", "style", "template"})
_BREAKS = frozenset({"br", "div", "hr", "li", "p"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


class _Refused(Exception):
    """A table is too large or nested too deeply."""


def may_have_tables(head: str) -> bool:
    """Whether a text begins like HTML."""
    return _START.match(head) is not None


def looks_like_html_tables(text: str) -> bool:
    """Whether a text is HTML with a table."""
    return may_have_tables(text) and _ROW.search(text[:MOST_CHARACTERS]) is not None


def open_html_tables(text: str) -> Opened | None:
    """Return the rows of the table of a page, or of its tables by their captions, if they make up most of it."""
    if len(text) > MOST_CHARACTERS or not looks_like_html_tables(text):
        return None
    reader = _TableReader(text)
    try:
        reader.feed(text)
        reader.close()
    except (_Refused, AssertionError):
        return None
    found = {table: rows for table in reader.tables if (rows := _objects(table))}
    if not found or SHORTER * sum(table.end - table.begin for table in found) < len(text):
        return None
    if len(found) == 1:
        (table, rows) = found.popitem()
        first, last = (text.count("\n", 0, place) for place in (table.begin, table.end))
        around = "" if text[: table.begin].isspace() or not table.begin else f" (lines {first} to {last})"
        return Opened(rows, f"an HTML table{around}")
    names = unique_names([table.caption or f"table_{place}" for place, table in enumerate(found, 1)])
    return Opened(dict(zip(names, found.values(), strict=True)), f"{len(found)} HTML tables")


@dataclass(slots=True, eq=False)
class _Table:
    """A table that was read: its rows, how many of them are headings, and its place in the text."""

    begin: int
    end: int = 0
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    headings: int = 0
    holds_tables: bool = False


class _TableReader(HTMLParser):
    """Reads the tables of a page; tables that contain other tables are layout and are left out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._lines = [0]
        self._lines += (found.end() for found in re.finditer("\n", text))
        self.tables: list[_Table] = []
        self._open: list[_Table] = []
        self._row: list[tuple[str, int, int, bool]] | None = None
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        self._is_heading = False
        self._below: dict[int, tuple[str, int]] = {}
        self._title = ""
        self._unshown = 0
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell; previous ones without end tags end here."""
        if tag in _UNSHOWN:
            self._unshown += 1
        elif tag == "table":
            if len(self._open) > MOST_LEVELS:
                raise _Refused
            if self._open:
                self._open[-1].holds_tables = True
            self._open.append(_Table(self._offset(), caption=self._title))
            self._title = ""
            self._row = self._cell = None
            self._below = {}
        elif tag == "tr" and self._open:
            self._end_row()
            self._row = []
        elif tag in {"td", "th"} and self._row is not None:
            self._end_cell()
            self._cell, self._is_heading = [], tag == "th"
            given = dict(attrs)
            self._spans = (_span(given.get("colspan")), _span(given.get("rowspan")))
        elif tag == "caption" or (tag in _HEADINGS and not self._open):
            self._cell = []
        elif self._cell is not None and tag in _BREAKS:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """End a cell, a row or a table."""
        if tag in _UNSHOWN:
            self._unshown = max(self._unshown - 1, 0)
        elif tag in {"td", "th"}:
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif (tag == "caption" or (tag in _HEADINGS and not self._open)) and self._cell is not None:
            title, self._cell = _words(self._cell), None
            if self._open:
                self._open[-1].caption = title
            else:
                self._title = title
        elif tag == "table" and self._open:
            self._end_row()
            table = self._open.pop()
            table.end = self._offset()
            if not table.holds_tables:
                self.tables.append(table)
            self._below = {}

    def handle_data(self, data: str) -> None:
        """Collect the text of a cell."""
        if self._cell is not None and not self._unshown:
            self._cell.append(data)

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _end_cell(self) -> None:
        if self._cell is not None and self._row is not None:
            self._row.append((_words(self._cell), *self._spans, self._is_heading))
        self._cell = None

    def _end_row(self) -> None:
        self._end_cell()
        given, self._row = self._row, None
        if not given or not self._open:
            return
        table = self._open[-1]
        if table.headings == len(table.rows) and all(is_heading for *_, is_heading in given):
            table.headings += 1
        row: list[str] = []
        for text, columns, rows, _ in given:
            self._fill_from_above(row)
            if rows > 1:
                self._below |= dict.fromkeys(range(len(row), len(row) + columns), (text, rows - 1))
            row += [text] * columns
        self._fill_from_above(row)
        table.rows.append(row)
        self._cells += len(row)
        if len(row) > MOST_COLUMNS or self._cells > MOST_CELLS:
            raise _Refused

    def _fill_from_above(self, row: list[str]) -> None:
        """Repeat cells of previous rows that span the next position of a row."""
        while len(row) in self._below:
            text, rows = self._below.pop(len(row))
            if rows > 1:
                self._below[len(row)] = (text, rows - 1)
            row.append(text)


def _words(parts: list[str]) -> str:
    return " ".join("".join(parts).split())


def _span(given: str | None) -> int:
    return min(max(int(given), 1), MOST_COLUMNS) if given and given.isascii() and given.isdecimal() else 1


def _objects(table: _Table) -> list[dict[str, Any]]:
    """Return the rows of a table as objects by its headings; none if it is a layout table."""
    width = max(map(len, table.rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in table.rows]
    headings = table.headings
    if not headings and rows and has_header(rows):
        headings = 1
    body = rows[headings:]
    if width < FEWEST_COLUMNS or len(body) < FEWEST_ROWS:
        return []
    # Headings of several rows: those of groups before those of columns.
    above = zip_longest(*rows[:headings]) if headings else [()] * width
    names = [" ".join(dict.fromkeys(filter(None, cells))) or f"column_{place}" for place, cells in enumerate(above, 1)]
    unique_names(names)
    return [dict(zip(names, row, strict=True)) for row in typed(body)]
