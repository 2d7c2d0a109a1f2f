"""Tables as programs print them: Markdown's, boxes of databases, columns under a rule or under a line of names.

Cells keep their text, without the spaces around it; columns of numbers become numbers as in CSV. A table may
have words around it, but makes up most of the text. One row that does not fit makes all of it a text. Several tables
are given under their titles, or as one list if all have the same columns.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.csv_tables import LONGEST_NAME, MOST_COLUMNS, typed, unique_names
from coatcheck.explorer.texts.opened_text import Opened

FEWEST_ROWS = 3
FEWEST_COLUMNS = 2
FEWEST_TABLES = 2
NUMERIC = 2
"""Minimum number of numeric columns if rows are split into words."""
LOOKED_AT = 4_000
"""Characters within which several tables are as much of a text as of all of it."""
HEADER = 4
"""Maximum lines of the names in a box."""
ALIGNED = "aligned columns"
FEWEST_ALIGNED = 3
"""Columns of a table without a rule."""
LINES_BEFORE = 12
"""Lines in which the rule of a table is searched for."""
JUDGED = 20
"""Lines that are checked before all of them are parsed."""
WIDEST = 500
"""Characters of a line in which columns are searched for."""
SHORTER = 2
"""A table makes up at least one part in so many of a text."""
_MARKDOWN_RULE = late_pattern(r"\|? {0,40}:?-+:? {0,40}(?:\| {0,40}:?-+:? {0,40}){0,999}\|? {0,40}", re.ASCII)
_BOX_RULE = late_pattern(r"[+|]?-{1,999}(?:[+|]-{1,999}){1,999}[+|]?[ ]{0,40}")
_COLUMN_RULE = late_pattern(r"(?:-{2,999}|={2,999})(?: {1,99}(?:-{1,999}|={1,999})){1,99} {0,40}")
_FULL_RULE = late_pattern(r"[ ]{0,9}(?:-{10,999}|={10,999})[ ]{0,9}")
_DPKG_RULE = late_pattern(r"\+\+\+(?:-=+){1,20}-?")
_CELL = late_pattern(r"(?<!\\)\|")
_CAPITALS = late_pattern(r"[A-Z%#][A-Z0-9 %#()/_.:+-]*[A-Z0-9)%#]|[A-Z%#]", re.ASCII)
_NAME = late_pattern(r"[A-Za-z%#][\w%#/().:+-]{0,60}")
_GAP = late_pattern(r" {2,}|\t+")
_NUMBER_WORD = late_pattern(r"(?<!\S)[-+]?\d(?!\S*[A-Za-z]{4})")
"""``1K-blocks`` is a name."""
_MARKS = bytes(b"01"[not chr(each).isspace()] for each in range(256))
_MARKED = late_pattern(r"1+")
_GLUED = late_pattern(r"(?<=[a-z])(?=[A-Z])")
_DRAWN = str.maketrans(
    dict.fromkeys("│┃║┆┊", "|")
    | dict.fromkeys("─━═┄┈", "-")
    | dict.fromkeys("┼╪╋╇╈┿╂┬┴╤╧┯┷┰┸┌┐└┘├┤╞╡┏┓┗┛┣┫┡┩╔╗╚╝╠╣╭╮╰╯", "+")
)
"""Characters that draw boxes, and their replacements."""
_OMITTED = frozenset(".·…⋮")
"""A row of these signs stands for those that were not printed."""
Row = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was found: the names of its columns, its rows, and the lines that it takes."""

    form: str
    names: Row
    rows: list[Row]
    begin: int
    end: int


def looks_printed(head: str) -> bool:
    """Whether a text may begin with a printed table; cheap, and true for some texts that have none."""
    lines = head.split("\n", LINES_BEFORE + 1)[: LINES_BEFORE + 1]
    return any(map(_kind_of_rule, lines[1:])) or any(map(_may_name_columns, lines))


def open_printed_table(text: str) -> Opened | None:
    """Return the rows of a printed table as objects by its header, and the lines around it."""
    lines = text.replace("\r\n", "\n").split("\n")
    for table in _tables(lines):
        if len(table.rows) >= FEWEST_ROWS and _is_most(lines, table.begin, table.end):
            after = sum(map(bool, map(str.strip, lines[table.end :])))
            around = "" if table.begin == 0 and not after else f" (lines {table.begin} to {table.end - 1})"
            several = _several(lines) if after > FEWEST_ROWS else None
            other = [*range(table.begin), *range(table.end, len(lines))]
            return several or Opened(_objects(table), f"{table.form}{around}", other)
    return _several(lines)


def _tables(lines: Sequence[str]) -> Iterator[Table]:
    """Yield what may be the table that begins within the first lines."""
    for place, line in enumerate(lines[: LINES_BEFORE + 1]):
        kind = _kind_of_rule(line)
        if kind and (found := _KINDS[kind](lines, place)) is not None:
            yield found
    for place, line in enumerate(lines[: LINES_BEFORE + 1]):
        if _may_name_columns(line) and (found := _aligned(lines, place)) is not None:
            yield found


def _is_most(lines: Sequence[str], begin: int, end: int) -> bool:
    outside = sum(map(len, lines[:begin])) + sum(map(len, lines[end:]))
    return SHORTER * outside <= outside + sum(map(len, lines[begin:end]))


def _objects(table: Table) -> list[dict[str, Any]]:
    named = unique_names([name or f"column_{place}" for place, name in enumerate(table.names, 1)])
    return [dict(zip(named, row, strict=True)) for row in typed(table.rows)]


def _several(lines: Sequence[str]) -> Opened | None:
    """Read the tables of a report, each under the first line above it: ``netstat -an``, ``iptables -L``, a scan."""
    tables: list[tuple[str, Table]] = []
    leads: list[Sequence[str]] = []
    title, read, taken, other = "", 0, 0, list[int]()
    for begin, end in _parts(lines):
        part = lines[begin:end]
        found = next((table for table in _tables(part) if len(table.rows) >= _fewest(part, table)), None)
        other += [n for n in range(begin, end) if found is None or not found.begin <= n - begin < found.end]
        heading = part[0].strip() if found is None or found.begin else ""
        read += sum(map(len, part))
        if found is not None:
            tables.append((_title(heading or title), found))
            leads.append(part[: found.begin])
            taken += sum(map(len, part))
            title = ""
        elif read > LOOKED_AT and SHORTER * taken < read:
            return None  # too many words already
        elif heading.startswith("#") or not title.startswith("#"):
            title = heading
    if len(tables) < FEWEST_TABLES or SHORTER * taken < read:
        return None
    if 0 < len(leads[1]) < len(leads[0]):  # the report has a title too
        tables[0] = (_title(leads[0][-len(leads[1])]), tables[0][1])
    other = [n for n in other if _title(lines[n]) not in dict(tables)]  # titles are in the value
    columns, form = {tuple(table.names) for _, table in tables}, f"{len(tables):,} printed tables"
    if len(columns) > 1:
        names = unique_names([title or f"table_{place}" for place, (title, _) in enumerate(tables, 1)])
        return Opened({name: _objects(table) for name, (_, table) in zip(names, tables, strict=True)}, form, other)
    rows = [row for _, table in tables for row in table.rows]
    titles = [title for title, table in tables for _ in table.rows]
    together = _objects(Table("", list(columns.pop()), rows, 0, 0))
    key = unique_names([*together[0], "table"])[-1]
    named = [{key: title, **row} for title, row in zip(titles, together, strict=True)]
    return Opened(named, f"{form}, in one list", other)


def _title(line: str) -> str:
    return " ".join(line.strip("# :").split())


def _fewest(part: Sequence[str], table: Table) -> int:
    """Return how many rows show that there is a table: one below a rule or names in capitals."""
    if table.form.startswith(ALIGNED) and not all(map(_NAME.fullmatch, part[table.begin].split())):
        return MOST_COLUMNS * len(part)  # signs are no names: the entries of a configuration
    is_shown = part[table.begin].isupper() or any(map(_kind_of_rule, part[table.begin : table.begin + 2]))
    return 1 if is_shown else FEWEST_ROWS


def _parts(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of lines between blank lines, split at the title of another table."""
    begin, is_table = 0, False
    for place, (line, following) in enumerate(zip_longest(lines, lines[1:], fillvalue="")):
        is_blank = not line or line.isspace()
        if is_blank or (is_table and _may_name_columns(following) and _GAP.search(line.strip()) is None):
            if place > begin:
                yield begin, place
            begin, is_table = place + is_blank, False
        is_table = is_table or _may_name_columns(line)
    if begin < len(lines):
        yield begin, len(lines)


def _kind_of_rule(line: str) -> str:
    if len(line) > 2 * MOST_COLUMNS * 9 or not any(mark in line for mark in ("-", "=", "─", "━", "═")):
        return ""
    line = line.translate(_DRAWN).strip()
    if _BOX_RULE.fullmatch(line) and ("+" in line[1:-1]):
        return "box"
    if "|" in line and _MARKDOWN_RULE.fullmatch(line):
        return "Markdown"
    return "columns" if _COLUMN_RULE.fullmatch(line) or _DPKG_RULE.fullmatch(line) else ""


def _markdown(lines: Sequence[str], rule: int) -> Table | None:
    names = _cells(lines[rule - 1]) if rule else []
    if len(names) != len(_cells(lines[rule])):
        return None
    rows, end = [], rule + 1
    while end < len(lines) and "|" in lines[end]:
        rows.append(_cells(lines[end]))
        end += 1
    return _table("a Markdown table", names, rows, rule - 1, end)


def _cells(line: str) -> Row:
    line = line.strip()
    inside = line.removeprefix("|")
    if inside.endswith("|") and not inside.endswith("\\|"):
        inside = inside[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(inside)]


def _box(lines: Sequence[str], rule: int) -> Table | None:
    """Read boxes as databases print them: a rule above or below the names; types may follow the names."""
    drawn = [line.translate(_DRAWN) if line[:1] > "~" else line for line in lines]
    begin = rule - 1 if rule and _is_row(drawn[rule - 1]) else rule
    place = begin if begin < rule else rule + 1
    end = place
    while end < len(drawn) and end < place + HEADER and _is_row(drawn[end]):
        end += 1
    if end == place or end >= len(drawn) or _kind_of_rule(drawn[end]) != "box":
        return None
    names = _boxed(drawn[place])
    marks = [mark for mark, sign in enumerate(drawn[end]) if sign == "+"]
    rows: list[Row] = []
    end += 1
    while end < len(drawn) and (_is_row(drawn[end]) or _kind_of_rule(drawn[end]) == "box"):
        if _is_row(drawn[end]):
            cells = _boxed(drawn[end])
            rows.append(cells if len(cells) == len(names) else _boxed_at(drawn[end], marks))
        end += 1
    return _table("a printed table", names, rows, begin, end)


def _boxed_at(line: str, marks: Sequence[int]) -> Row:
    """Cut a row at the marks of its rule, if cells contain the sign that separates them."""
    if any(line[mark : mark + 1] != "|" for mark in marks):
        return []
    places = marks if line[:1] == "|" else [-1, *marks, len(line)]
    return [line[start + 1 : end].strip() for start, end in pairwise(places)]


def _is_row(line: str) -> bool:
    return "|" in line and _kind_of_rule(line) != "box"


def _boxed(line: str) -> Row:
    line = line.strip()
    if line.startswith("|"):
        line = line.strip("|")
    return [cell.strip() for cell in line.split("|")]


def _columns(lines: Sequence[str], rule: int) -> Table | None:
    """Read columns that lie under the marks of a rule; the last one reaches to the end of the line."""
    if not rule:
        return None
    starts = [0, *(place for place in range(1, len(lines[rule])) if _begins(lines[rule], place))]
    if lines[rule][0] == " ":
        del starts[1:2]  # all lines are indented
    if len(starts) < FEWEST_COLUMNS:
        return None
    end = rule + 1
    while end < len(lines) and lines[end].strip():
        end += 1
    names = _cut(lines[rule - 1], starts)
    rows = [_cut(line, starts) for line in lines[rule + 1 : end] if _COLUMN_RULE.fullmatch(line.strip()) is None]
    if names is None or None in rows:
        return None
    return _table(ALIGNED, names, [row for row in rows if row is not None], rule - 1, end)


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


def _may_name_columns(line: str) -> bool:
    """Whether a line may be the names of columns: words without numbers, with wide gaps or in capitals."""
    inside = line.strip() if len(line) <= MOST_COLUMNS else ""
    if "  " not in inside and "\t" not in inside and inside.upper() != inside:
        return False  # most lines of prose
    words = inside.split()
    if len(words) < FEWEST_ALIGNED or _NUMBER_WORD.search(line):
        return False
    is_capital = line.upper() == line and all(map(_CAPITALS.fullmatch, words))
    return is_capital or _GAP.search(line.strip()) is not None


def _aligned(lines: Sequence[str], place: int) -> Table | None:
    """Read columns under a line of names, as ``kubectl``, ``df``, ``lsof`` and ``ps`` print them."""
    end = place + 1
    while end < len(lines) and lines[end].strip():
        end += 1
    block = [line for line in lines[place:end] if _FULL_RULE.fullmatch(line) is None]
    if (len(block) <= FEWEST_ROWS and not lines[place].isupper()) or _starts(block[:JUDGED]) is None:
        return _by_words(block, place, end)
    return _between_gaps(block, place, end) or _by_words(block, place, end)


def _between_gaps(lines: Sequence[str], place: int, end: int) -> Table | None:
    """Read columns that are separated by gaps in all lines; a cell may be empty or have several words."""
    block = [line.expandtabs() if "\t" in line else line for line in lines]
    starts = _starts(block)
    if starts is None:
        return None
    rows = [_cells_at(line, starts) for line in block]
    if any("  " in cell for row in rows for cell in row[:-1]):
        return None  # the gap of two columns
    names = [_GAP.sub(" ", name).removeprefix("# ") for name in rows.pop(0)]
    if any(" " in name and _same_words(row[column] for row in rows) for column, name in enumerate(names[:-1])):
        return None  # probably several columns, of which some cells touch
    if max(map(len, names)) > LONGEST_NAME or len(set(names)) < len(names):
        return None
    short = sum(all(" " not in row[column] for row in rows) for column in range(len(names)))
    return _table(ALIGNED, names, rows, place, end) if short >= FEWEST_COLUMNS else None


def _same_words(cells: Iterable[str]) -> bool:
    """Whether all cells have the same number of words, and more than one."""
    counts = {len(cell.split()) for cell in cells}
    return len(counts) == 1 and counts.pop() > 1


def _starts(block: Sequence[str]) -> list[int] | None:
    """Return where the columns of a block begin, whose first line names them; ``None`` for fewer than three."""
    header, body = _marks(block[0]), 0
    for line in block[1:]:
        body |= _marks(line)
    starts: list[int] = []
    for found in _MARKED.finditer(f"{header | body:b}"[::-1]):
        start, end = found.span()
        is_named = bool(block[0][start:end].strip())
        has_cells = _any(body, start, end)
        # A second word of a name has no cells of its own below it; words of cells have no name above them.
        if not starts or (is_named and (has_cells or block[0][start - 2 : start].isspace())):
            starts.append(start)
        # ss writes "Peer Address:PortProcess".
        starts += [
            place
            for place in (glued.start() for glued in _GLUED.finditer(block[0], start, end))
            if not body >> place - 1 & 1 and _any(body, start, place) and _any(body, place, end)
        ]
    return starts if len(starts) >= FEWEST_ALIGNED else None


def _marks(line: str) -> int:
    """Return a number with one bit for each character of a line; a bit is set unless the character is a space."""
    return int(line[:WIDEST].encode("ascii", "replace").translate(_MARKS)[::-1] or b"0", 2)


def _any(marks: int, start: int, end: int) -> bool:
    """Whether one of some marks is set."""
    return bool(marks >> start & ((1 << end - start) - 1))


def _cells_at(line: str, starts: Sequence[int]) -> Row:
    return [line[start:end].strip() for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]


def _by_words(lines: Sequence[str], place: int, end: int) -> Table | None:
    """Read rows of as many words as there are names, of which two columns are numbers; the last cell is the rest."""
    names = lines[0].split()
    rows = []
    for line in lines[1:]:
        row = line.split(None, len(names) - 1)
        if len(row) < len(names):
            return None
        rows.append([*row[:-1], row[-1].strip()])
    if len(set(names)) < len(names):
        return None
    if len(rows) < FEWEST_ROWS or sum(not isinstance(cell, str) for cell in next(typed(rows), ())) < NUMERIC:
        return None
    return _table(ALIGNED, names, rows, place, end)


def _table(form: str, names: Row, rows: list[Row], begin: int, end: int) -> Table | None:
    """Return a table whose rows fit its names; ``None`` if one does not."""
    width = len(names)
    printed = [row for row in rows if not _stands_for_others(row)]
    if len(printed) < len(rows):
        form += f" that omits rows after [{list(map(_stands_for_others, rows)).index(True) - 1}]"
    if not printed or not FEWEST_COLUMNS <= width <= MOST_COLUMNS or not any(names):
        return None
    return None if any(len(row) != width for row in printed) else Table(form, names, printed, begin, end)


def _stands_for_others(row: Row) -> bool:
    return bool(row) and row[-1][:1] in _OMITTED and _OMITTED.issuperset("".join(row))


_KINDS: dict[str, Callable[[Sequence[str], int], Table | None]] = {
    "Markdown": _markdown,
    "box": _box,
    "columns": _columns,
}
