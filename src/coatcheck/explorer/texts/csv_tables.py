"""CSV, TSV and similar formats as lists of objects; values are exact.

A column is numeric only if all its non-empty cells are JSON numbers with no more digits than a float can hold; its
empty cells are null. All other cells stay text.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from coatcheck.codec import load_exactly
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

FEWEST_ROWS = 3
JUDGED_ROWS = 50
MOST_COLUMNS = 1_000
JUDGED_CHARACTERS = 4_000
MOST_LEAD = 1_000
"""Characters of titles and comments before a table."""
LONGEST_NAME = 60
EXACT_DIGITS = 15
_DELIMITERS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", "|": "CSV with bars"}
_NUMERIC = late_pattern(r"[-+.0-9eE]*")
_NUMBER = late_pattern(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_LOG_LINE = late_pattern(
    r"[\[(]?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9}|,\d{3})?(?:Z|[+-]\d\d:?\d\d)? *[^\s\w,;|]? *[A-Za-z\[]"
)
_NOT_A_TABLE = late_pattern(r"\s*(?:[{\[<#|]|---|\+\+\+|diff |commit |Commit)")
_LEAD = late_pattern(r"(?:#[^\n]{0,200}\n){1,5}|(?:(?![|<{\[#])[^\n]{1,200}\n){1,4}[ \t]{0,9}\r?\n{1,2}")
"""Comments, or titles and a blank line."""
_QUOTED = late_pattern(r'"(?:[^"]|"")*"')
_NAME = late_pattern(r"[^\W\d].*", re.DOTALL)

Row = list[str]


def looks_like_table(head: str) -> bool:
    """Whether the first lines of a text, or those after titles and comments, have the same number of cells."""
    return _delimiter(head) is not None or bool(_preamble_length(head))


def open_table(text: str) -> Opened | None:
    """Return the rows of a table as objects by its header, or as arrays if it has none."""
    head = text[:JUDGED_CHARACTERS]
    lead, delimiter = 0, _delimiter(head)
    if delimiter is None:
        lead = _preamble_length(head)
        delimiter = _delimiter(text[lead : lead + JUDGED_CHARACTERS]) if lead else None
    if delimiter is None:
        return None
    read = _rows(text[lead:] if lead else text, delimiter)
    if read is None:
        return None
    rows, note = read
    if any(cell != cell.strip() for cell in rows[0]):  # cells are padded, as in `id, name` and in columns of TSV
        rows = [[cell.strip() for cell in row] for row in _padded_rows(text[lead:], delimiter)[: len(rows)]]
    first = text.count("\n", 0, lead)
    other = [*range(first), *([text.rstrip().count("\n")] if note else ())]
    if lead:
        note += f", from line {first}"
    name = _DELIMITERS[delimiter]
    if not has_header(rows):
        return Opened(list(map(list, typed(rows))), f"{name} without a header, {len(rows[0])} columns{note}", other)
    names = unique_names([cell.strip() or f"column_{place}" for place, cell in enumerate(rows.pop(0), 1)])
    return Opened([dict(zip(names, row, strict=True)) for row in typed(rows)], f"{name}{note}", other)


def _preamble_length(head: str) -> int:
    """Return the characters of the titles (up to a blank line) or comments that a table begins with; 0 without any."""
    found = _LEAD.match(head)
    if found is None:
        return 0
    header, _, rest = head[found.end() : found.end() + MOST_LEAD].partition("\n")
    first = rest.partition("\n")[0]
    # A quick look, because many texts begin with a title.
    if '"' not in header + first and not any(0 < header.count(each) == first.count(each) for each in _DELIMITERS):
        return 0
    return found.end() if _delimiter(head[found.end() :]) is not None else 0


def _delimiter(head: str) -> str | None:
    """Find the delimiter; the last line may be cut off."""
    if _NOT_A_TABLE.match(head) or not any(delimiter in head for delimiter in _DELIMITERS):
        return None
    lines = [line for line in _QUOTED.sub("q", head).split("\n") if line.strip()]
    if len(head) >= JUDGED_CHARACTERS - MOST_LEAD:
        lines = lines[:-1]
    lines = lines[:JUDGED_ROWS]
    if len(lines) < FEWEST_ROWS or 2 * sum(bool(_LOG_LINE.match(line)) for line in lines) > len(lines):
        return None
    for delimiter in _DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        if counts[0] == 1 and all(line.rstrip().endswith(delimiter) for line in lines):
            continue  # it ends each line, as in source code, and separates nothing
        # The last line may be cut off by the program that wrote the text.
        if counts[0] and len(set(counts[:-1])) == 1 and counts[-1] <= counts[0] and not _is_prose(lines, delimiter):
            return delimiter
    return None


def _is_prose(lines: Sequence[str], delimiter: str) -> bool:
    """Whether the commas are those of sentences: each between words, with a space after it."""
    if delimiter == "\t":
        return False
    cells = [cell for line in lines for cell in line.split(delimiter)[1:]]
    spaced = sum(cell.startswith(" ") for cell in cells)
    numeric = sum(_NUMBER.fullmatch(cell.strip()) is not None for cell in cells)
    return 2 * spaced > len(cells) and 4 * numeric < len(cells)


def _rows(text: str, delimiter: str) -> tuple[list[Row], str] | None:
    """Read rows of equal width; add a note if the last one was omitted because it is shorter."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return None
    note = ""
    if len(rows) > FEWEST_ROWS and len(rows[-1]) != len(rows[0]):
        rows.pop()
        note = ", the last line does not fit and is left out"
    widths = set(map(len, rows))
    if len(rows) < FEWEST_ROWS or len(widths) > 1 or not 1 < widths.pop() <= MOST_COLUMNS:
        return None
    return rows, note


def _padded_rows(text: str, delimiter: str) -> list[Row]:
    """Read the rows of a table that was read before, whose cells have spaces before their quotes too."""
    found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return [row for row in found if row]


def has_header(rows: list[Row]) -> bool:
    """Whether the first row names the columns: distinct words that do not occur in their columns."""
    first = [cell.strip() for cell in rows[0]]
    named = [cell for cell in first if cell]
    if len(set(named)) < len(named) or len(named) < len(first) - 1 or not named:
        return False
    if not all(len(cell) <= LONGEST_NAME and "\n" not in cell and _NAME.match(cell) for cell in named):
        return False
    body = list(islice(rows, 1, JUDGED_ROWS))
    return not any(cell and cell == row[place] for place, cell in enumerate(rows[0]) for row in body)


def unique_names(names: list[str]) -> list[str]:
    """Make names unique, in place, with a number after repeated ones."""
    taken: set[str] = set()
    for place, name in enumerate(names):
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        names[place] = unique
    return names


def typed(rows: list[Row]) -> Iterator[tuple[Any, ...]]:
    """Convert the columns that contain only numbers."""
    return zip(*(numbers_of(column) or column for column in zip(*rows, strict=True)), strict=True)


def numbers_of(column: Sequence[str]) -> list[Any] | None:
    """Read a column as numbers, ``None`` for empty cells; nothing if it contains anything else."""
    together = "".join(column)
    if not together or _NUMERIC.fullmatch(together) is None:
        return None
    try:
        read: list[Any] = load_exactly(f"[{','.join(cell or 'null' for cell in column)}]")
    except ValueError:
        return None
    cells = zip(column, read, strict=True)
    doubtful = cells if "e" in together.lower() else (pair for pair in cells if len(pair[0]) > EXACT_DIGITS)
    return read if all(_is_exact(cell, number) for cell, number in doubtful if cell) else None


def _is_exact(cell: str, number: float | None) -> bool:
    return isinstance(number, int) or (number is not None and Decimal(cell) == Decimal(repr(number)))
