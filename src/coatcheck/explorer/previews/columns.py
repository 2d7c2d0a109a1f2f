"""Tables whose columns are named once, with rows as arrays, as databases and data frames return them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from coatcheck.errors import quoted_name
from coatcheck.explorer.previews.main_part import at
from coatcheck.explorer.previews.shape_text import field_name
from coatcheck.references import Key, Path

NAMES = ("columns", "fields", "headers", "header", "column_names", "cols", "meta", "schema", "rowType")
JUDGED = 20
MOST = 200
MOST_PARALLEL = 5
FEWEST_ROWS = 4
"""Rows from which on the first one may be a header."""
LEVELS = 2
"""Levels of objects next to the rows, or to what they are in, in which their columns may be."""


class Columns(NamedTuple):
    """The columns of a table."""

    place: Path  # their path from the value
    names: list[str]  # their names, in order
    kinds: list[str]  # their types, if given
    are_objects: bool  # whether each is an object with a `name`
    rows: Sequence[Any]

    def records(self) -> list[dict[str, Any]]:
        """Return the first rows as objects."""
        return [dict(zip(self.names, row, strict=True)) for row in islice(self.rows, JUDGED)]

    def __str__(self) -> str:
        kinds = (f" {quoted_name(kind)}" if kind else "" for kind in self.kinds)
        written = (field_name(name) + kind for name, kind in zip(self.names, kinds, strict=True))
        return f"[{', '.join(written)}]"


def columns_beside(value: Any, place: Path) -> Columns | None:
    """Return the columns of the rows at ``place``, if the rows match them: next to them, or in an object there.

    The rows may be in an object too, as in ``{manifest: {schema: {columns}}, result: {data_array}}``.
    """
    rows = at(value, place)
    if not isinstance(rows, (list, tuple)) or not rows or not isinstance(rows[0], (list, tuple)):
        return None
    ends = range(len(place.steps) - 1, max(len(place.steps) - 1 - LEVELS, -1), -1)
    around = (Path(place.steps[:end]) for end in ends)
    for here, columns in (found for parent in around for found in _lists_of_names(parent, at(value, parent), LEVELS)):
        if not 0 < len(columns) <= MOST or columns is rows:
            continue
        are_objects = all(isinstance(column, dict) and isinstance(column.get("name"), str) for column in columns)
        names = [column["name"] for column in columns] if are_objects else list(columns)
        judged = [*islice(rows, JUDGED), rows[-1]]
        are_rows = all(isinstance(row, (list, tuple)) and len(row) == len(names) for row in judged)
        if are_rows and all(isinstance(name, str) for name in names):
            return Columns(here, names, [_kind(column) for column in columns], are_objects, rows)
    return None


def _lists_of_names(path: Path, parent: Any, levels: int) -> Iterator[tuple[Path, Sequence[Any]]]:
    """Yield the lists under the usual names in an object, then those in the objects inside."""
    if isinstance(parent, dict):
        for key in NAMES:
            if isinstance(parent.get(key), (list, tuple)):
                yield path.child(Key(key)), parent[key]
        for key, member in islice(parent.items(), JUDGED if levels else 0):
            yield from _lists_of_names(path.child(Key(key)), member, levels - 1)


def parallel_parts(value: Any, place: Path) -> list[str]:
    """Return the names of lists of scalars as long as the one at ``place``, or maps with its keys, itself included."""
    if not place:
        return []
    parent, part = at(value, Path(place.steps[:-1])), at(value, place)
    if not isinstance(parent, dict) or len(parent) > MOST:
        return []
    found = [
        name
        for name, member in parent.items()
        if isinstance(member, dict if isinstance(part, dict) else (list, tuple))
        and len(member) == len(part)
        and len(name) <= JUDGED
        and not isinstance(next(iter(member.values() if isinstance(member, dict) else member)), (dict, list, tuple))
        and (not isinstance(part, dict) or list(islice(member, JUDGED)) == list(islice(part, JUDGED)))
    ]
    return found[:MOST_PARALLEL] if len(found) > 1 else []


def has_header_row(rows: Any) -> bool:
    """Whether the first row of rows names their columns, as in a sheet: different words that do not occur below."""
    if not isinstance(rows, (list, tuple)) or len(rows) < FEWEST_ROWS or not isinstance(rows[0], (list, tuple)):
        return False
    names = rows[0]
    if not 1 < len(names) <= JUDGED or not all(isinstance(name, str) and name[:1].isalpha() for name in names):
        return False
    below = rows[1:JUDGED]
    if len(set(names)) < len(names) or not all(isinstance(row, (list, tuple)) for row in below):
        return False
    return not any(len(row) > len(names) or any(map(str.__eq__, names, map(str, row))) for row in below)


def _kind(column: Any) -> str:
    kind = column.get("type") if isinstance(column, dict) else ""
    return kind if isinstance(kind, str) and len(kind) <= JUDGED else ""
