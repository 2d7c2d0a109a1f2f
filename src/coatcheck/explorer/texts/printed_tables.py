"""Tables as programs print them: Markdown's, boxes of databases, columns under a rule, columns under capital names.

Cells are given as they stand, without the space around them; columns of numbers become numbers as in CSV. A table may
have words around it, but makes up most of the text. One row that does not fit makes all of it a text.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from coatcheck.explorer.texts.tables import MOST_COLUMNS, typed, unique_names

FEWEST_ROWS = 3
FEWEST_COLUMNS = 2
FEWEST_ALIGNED = 3
"""Columns of a table without a rule."""
LINES_BEFORE = 12
"""Lines among which the rule of a table is looked for."""
SHORTER = 2
"""A table makes up at least one part in so many of a text."""
_MARKDOWN_RULE = re.compile(r"\|? {0,40}:?-+:? {0,40}(?:\| {0,40}:?-+:? {0,40}){0,999}\|? {0,40}", re.ASCII)
_BOX_RULE = re.compile(r"[+|]?-{1,999}(?:[+|]-{1,999}){1,999}[+|]?[ ]{0,40}")
_COLUMN_RULE = re.compile(r"(?:-{2,999}|={2,999})(?: {1,9}(?:-{1,999}|={1,999})){1,99} {0,40}")
_DPKG_RULE = re.compile(r"\+\+\+(?:-=+){1,20}-?")
_CELL = re.compile(r"(?<!\\)\|")
_CAPITALS = re.compile(r"[A-Z%#][A-Z0-9 %#()/_.:+-]*[A-Z0-9)%#]|[A-Z%#]", re.ASCII)
_GAP = re.compile(r" {2,}|\t+")
_DRAWN = str.maketrans(
    dict.fromkeys("│┃║┆┊", "|")
    | dict.fromkeys("─━═┄┈", "-")
    | dict.fromkeys("┼╪╋╇╈┿╂┬┴╤╧┯┷┰┸┌┐└┘├┤╞╡┏┓┗┛┣┫┡┩╔╗╚╝╠╣╭╮╰╯", "+")
)
"""Characters that draw boxes, and their replacements."""

Row = list[str]
Found = tuple[Any, str]


def looks_printed(head: str) -> bool:
    """Whether a text may begin with a printed table; cheap, and true for some texts that have none."""
    lines = head.split("\n", LINES_BEFORE + 1)
    return any(map(_kind_of_rule, lines[1 : LINES_BEFORE + 1])) or _names(lines[0]) is not None


def open_printed_table(text: str) -> Found | None:
    """Return the rows of a printed table as objects by its header."""
    lines = text.replace("\r\n", "\n").split("\n")
    for place, line in enumerate(lines[: LINES_BEFORE + 1]):
        kind = _kind_of_rule(line)
        if kind and (found := _KINDS[kind](lines, place)) is not None:
            return found
    return _aligned(lines)


def _kind_of_rule(line: str) -> str:
    if len(line) > 2 * MOST_COLUMNS * 9 or not any(mark in line for mark in ("-", "=", "─", "━", "═")):
        return ""
    line = line.translate(_DRAWN).strip()
    if _BOX_RULE.fullmatch(line) and ("+" in line[1:-1]):
        return "box"
    if "|" in line and _MARKDOWN_RULE.fullmatch(line):
        return "Markdown"
    return "columns" if _COLUMN_RULE.fullmatch(line) or _DPKG_RULE.fullmatch(line) else ""


def _markdown(lines: Sequence[str], rule: int) -> Found | None:
    names = _cells(lines[rule - 1]) if rule else []
    if len(names) != len(_cells(lines[rule])):
        return None
    rows, end = [], rule + 1
    while end < len(lines) and "|" in lines[end]:
        rows.append(_cells(lines[end]))
        end += 1
    return _table("a Markdown table", names, rows, lines, rule - 1, end)


def _cells(line: str) -> Row:
    line = line.strip()
    inside = line.removeprefix("|")
    if inside.endswith("|") and not inside.endswith("\\|"):
        inside = inside[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(inside)]


def _box(lines: Sequence[str], rule: int) -> Found | None:
    """Read the boxes of databases: a rule above the names or below them."""
    drawn = [line.translate(_DRAWN) if line[:1] > "~" else line for line in lines]
    begin = rule - 1 if rule and _is_row(drawn[rule - 1]) else rule
    place = begin if begin < rule else rule + 1
    if place >= len(drawn) or not _is_row(drawn[place]):
        return None
    names = _boxed(drawn[place])
    if place + 1 >= len(drawn) or _kind_of_rule(drawn[place + 1]) != "box":
        return None
    rows: list[Row] = []
    end = place + 2
    while end < len(drawn) and (_is_row(drawn[end]) or _kind_of_rule(drawn[end]) == "box"):
        if _is_row(drawn[end]):
            rows.append(_boxed(drawn[end]))
        end += 1
    return _table("a printed table", names, rows, lines, begin, end)


def _is_row(line: str) -> bool:
    return "|" in line and _kind_of_rule(line) != "box"


def _boxed(line: str) -> Row:
    line = line.strip()
    if line.startswith("|"):
        line = line.strip("|")
    return [cell.strip() for cell in line.split("|")]


def _columns(lines: Sequence[str], rule: int) -> Found | None:
    """Read columns that lie under the marks of a rule; the last one reaches to the end of the line."""
    if not rule:
        return None
    starts = [0, *(place for place in range(1, len(lines[rule])) if _begins(lines[rule], place))]
    if len(starts) < FEWEST_COLUMNS:
        return None
    end = rule + 1
    while end < len(lines) and lines[end].strip():
        end += 1
    names = _cut(lines[rule - 1], starts)
    rows = [_cut(line, starts) for line in lines[rule + 1 : end]]
    if names is None or None in rows:
        return None
    return _table("aligned columns", names, [row for row in rows if row is not None], lines, rule - 1, end)


def _begins(rule: str, place: int) -> bool:
    """Whether a group of marks begins here: behind a space, or behind the one dash that parts those of dpkg."""
    before, here = rule[place - 1], rule[place]
    return here in "-=" and (before == " " or (before == "-" and here == "=" and rule.startswith("+++")))


def _cut(line: str, starts: Sequence[int]) -> Row | None:
    """Cut a line at the columns' starts; ``None`` if a word crosses one."""
    for start in starts[1:]:
        if start <= len(line) and line[start - 1] not in " \t|":
            return None
    ends = [*starts[1:], len(line)]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _names(line: str) -> list[str] | None:
    """Return the names of columns that a line of capital words spells; ``None`` for any other line."""
    if not line or line[0] == "\t" or len(line) > MOST_COLUMNS or line.upper() != line:
        return None
    names = [name for name in _GAP.split(line.strip()) if name]
    if len(names) < FEWEST_ALIGNED:
        names = line.split()
    if len(names) < FEWEST_ALIGNED or len(set(names)) < len(names):
        return None
    return names if all(map(_CAPITALS.fullmatch, names)) else None


def _aligned(lines: Sequence[str]) -> Found | None:
    """Read columns under capital names, as ``kubectl`` and ``ps`` print them."""
    if _names(lines[0]) is None:
        return None
    rows = list(lines)
    while rows and not rows[-1].strip():
        rows.pop()
    return _at_starts(rows) or _by_words(rows)


def _at_starts(lines: Sequence[str]) -> Found | None:
    """Read cells that begin where their names do."""
    header = lines[0]
    starts = [0 if header[0] != " " else len(header) - len(header.lstrip())]
    starts += [found.end() for found in _GAP.finditer(header.rstrip()) if found.start() > starts[0]]
    if len(starts) < FEWEST_ALIGNED or starts[0]:
        return None
    rows: list[Row] = []
    for line in lines:
        row = None if "\t" in line else _cut(line, starts)
        # what is in a cell begins where its name does
        if row is None or any(line[start : start + 1] == " " and cell for start, cell in zip(starts, row, strict=True)):
            return None
        rows.append(row)
    return _table("aligned columns", rows[0], rows[1:], lines, 0, len(lines))


def _by_words(lines: Sequence[str]) -> Found | None:
    """Read rows of as many words as there are names; the last cell is the rest of its line."""
    names = lines[0].split()
    rows = []
    for line in lines[1:]:
        row = line.split(None, len(names) - 1)
        if len(row) < len(names):
            return None
        rows.append([*row[:-1], row[-1].strip()])
    if len(set(names)) < len(names):
        return None
    return _table("aligned columns", names, rows, lines, 0, len(lines), numeric=2)


def _table(
    form: str, names: Row, rows: list[Row], lines: Sequence[str], begin: int, end: int, *, numeric: int = 0
) -> Found | None:
    """Make objects of rows that fit their names; ``None`` if one does not, or most of the text is something else."""
    width = len(names)
    if len(rows) < FEWEST_ROWS or not FEWEST_COLUMNS <= width <= MOST_COLUMNS or not any(names):
        return None
    if any(len(row) != width for row in rows):
        return None
    outside = sum(map(len, lines[:begin])) + sum(map(len, lines[end:]))
    if SHORTER * outside > outside + sum(map(len, lines[begin:end])):
        return None
    values = list(typed(rows))
    if sum(not isinstance(cell, str) for cell in values[0]) < numeric:
        return None
    around = "" if begin == 0 and not any(map(str.strip, lines[end:])) else f" (lines {begin} to {end - 1})"
    named = unique_names([name or f"column_{place}" for place, name in enumerate(names, 1)])
    return [dict(zip(named, row, strict=True)) for row in values], f"{form}{around}"


_KINDS: dict[str, Callable[[Sequence[str], int], Found | None]] = {
    "Markdown": _markdown,
    "box": _box,
    "columns": _columns,
}
