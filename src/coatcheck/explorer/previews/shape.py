"""A shape as text, in the notation of type declarations.

    [5,000 x {id: integer, body? (in 12 of 20): string|null, labels: [0-4 x string]}]
    {<key>: {name: string}} (5,000 keys such as "a", "b"; 20 sampled)

``{…3}`` and ``[…12]`` stand for an object of 3 keys and an array of 12 items that are not described further;
neighbouring fields of one type share a line.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from operator import itemgetter
from typing import Any

from coatcheck.explorer.previews.wording import NoJsonForm, kind_of, number, quote

SAMPLED = 20
"""Values of one place that are looked at."""
LEAST_OF_EACH = 3
"""Items of each array that are looked at where a place has many arrays."""
MOST_FIELDS = 40
"""Fields of one object that are looked at."""
MOST_VALUES = 3000
"""Values that are looked at in all."""
MOST_LEVELS = 6
ALWAYS_A_MAP = 200
"""An object with more keys is described as a map from keys to values of one type."""
_RECORDS_MAKE_A_MAP = 8
_SCALARS_MAKE_A_MAP = 25
_SAME_SHAPE_LOOKED_AT = 6
_ALONE: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}
"""Classes of scalars about which there is nothing more to know."""
_ORDER = ("string", "integer", "number", "boolean", "null")


@dataclass(slots=True)
class Span:
    """The least and the most of something counted."""

    least: int
    most: int


@dataclass(slots=True)
class Field:
    """One field of the objects at a place: how many of them have it."""

    shape: "Shape"
    present: int


@dataclass(slots=True)
class Objects:
    """The objects seen at one place: records with fields, or maps from keys to values of one shape."""

    seen: int
    keys: Span
    fields: dict[str, Field] | None = None
    hidden: int = 0
    values: "Shape | None" = None
    examples: tuple[str, ...] = ()
    looked_at: int = 0
    complete: bool = True


@dataclass(slots=True)
class Arrays:
    """The arrays seen at one place and the shape of their items."""

    lengths: Span
    items: "Shape | None" = None
    looked_at: int = 0
    complete: bool = True


@dataclass(slots=True)
class Shape:
    """What was seen at one place of a value."""

    scalars: list[str] = field(default_factory=list)
    objects: Objects | None = None
    arrays: Arrays | None = None


Pending = deque[tuple[Shape, Sequence[Any], int]]


def describe(values: Sequence[Any]) -> Shape:
    """Describe the values of one place and all that is below them, within fixed bounds.

    Raises:
        NoJsonForm: A value that was looked at is no JSON value.
    """
    pending: Pending = deque()
    root = _describe_values(values, 0, pending)
    left = MOST_VALUES
    while pending and left > 0:
        shape, found, level = pending.popleft()
        if shape.objects is not None:
            records = [value for value in found if isinstance(value, dict)]
            left -= _open_objects(shape.objects, records, level, pending)
        if shape.arrays is not None:
            arrays: list[Sequence[Any]] = [value for value in found if isinstance(value, (list, tuple))]
            left -= _open_arrays(shape.arrays, arrays, level, pending)
    return root


def pick(items: Sequence[Any], count: int) -> Sequence[Any]:
    """Take ``count`` items: the first ones, some spread over the rest, the last one."""
    total = len(items)
    if total <= count:
        return items
    first = (count + 1) // 2
    spread = count - first
    step = (total - first) / spread if spread else 0
    return [*items[:first], *(items[total - 1 - int(place * step)] for place in reversed(range(spread)))]


def _describe_values(values: Sequence[Any], level: int, pending: Pending) -> Shape:
    types = set(map(type, values))
    if len(types) == 1 and (alone := _ALONE.get(next(iter(types)))):
        return Shape([alone])
    kinds = set(map(kind_of, types))
    shape = Shape()
    if "number" in kinds:
        # what is not finite has no JSON form but null
        floats = [value for value in values if isinstance(value, float)]
        finite = sum(map(isfinite, floats))
        if finite < len(floats):
            kinds.add("null")
        if not finite:
            kinds.discard("number")
    if "object" in kinds:
        sizes = [len(value) for value in values if isinstance(value, dict)]
        shape.objects = Objects(len(sizes), Span(min(sizes), max(sizes)))
    if "array" in kinds:
        sizes = [len(value) for value in values if isinstance(value, (list, tuple))]
        shape.arrays = Arrays(Span(min(sizes), max(sizes)))
    if (shape.objects or shape.arrays) and level < MOST_LEVELS:
        pending.append((shape, values, level))
    shape.scalars = [kind for kind in _ORDER if kind in kinds]
    return shape


def _open_arrays(arrays: Arrays, found: list[Sequence[Any]], level: int, pending: Pending) -> int:
    share = max(SAMPLED // len(found), LEAST_OF_EACH)
    items: list[Any] = []
    for array in found:
        items.extend(pick(array, share))
    arrays.looked_at = len(items)
    arrays.complete = len(items) == sum(map(len, found))
    if items:
        arrays.items = _describe_values(items, level + 1, pending)
    return len(items)


def _open_objects(objects: Objects, records: list[dict[Any, Any]], level: int, pending: Pending) -> int:
    columns = _columns(records)
    for name in columns:
        if not isinstance(name, str):
            raise NoJsonForm(type(name))
    if is_map(records, columns):
        return _open_maps(objects, records, level, pending)
    shown = columns if len(columns) <= MOST_FIELDS else dict(islice(columns.items(), MOST_FIELDS))
    if objects.keys.most > MOST_FIELDS:
        # Not every key was seen: ask for those that are shown, so that the counts are true.
        shown = {name: [record[name] for record in records if name in record] for name in shown}
    objects.fields = {
        name: Field(_describe_values(values, level + 1, pending), present=len(values)) for name, values in shown.items()
    }
    objects.hidden = max(len(columns), objects.keys.most) - len(shown)
    return sum(map(len, columns.values()))


def _columns(records: list[dict[Any, Any]]) -> dict[Any, list[Any]]:
    names = records[0].keys()
    if len(names) <= MOST_FIELDS and all(record.keys() == names for record in records):
        return {name: list(map(itemgetter(name), records)) for name in names}
    columns: dict[Any, list[Any]] = {}
    for record in records:
        for name, value in islice(record.items(), MOST_FIELDS):
            column = columns.get(name)
            if column is None:
                columns[name] = [value]
            else:
                column.append(value)
    return columns


def _open_maps(objects: Objects, records: list[dict[Any, Any]], level: int, pending: Pending) -> int:
    share = max(SAMPLED // len(records), 1)
    values: list[Any] = []
    for record in records:
        taken = list(islice(record.values(), share))
        if len(record) > share > 1:
            taken[-1] = record[next(reversed(record))]
        values.extend(taken)
    objects.examples = tuple(islice((name for record in records for name in islice(record, 2)), 2))
    objects.looked_at = len(values)
    objects.complete = len(values) == sum(map(len, records))
    objects.values = _describe_values(values, level + 1, pending)
    return len(values)


def is_map(records: list[dict[Any, Any]], columns: dict[Any, list[Any]]) -> bool:
    """Whether objects are maps, whose keys are data (ids, dates), and not records, whose keys are field names."""
    largest = max(map(len, records))
    if largest > ALWAYS_A_MAP:
        return True
    entries = sum(map(len, columns.values()))
    if len(columns) < _RECORDS_MAKE_A_MAP or len(columns) * 10 < entries * 6:
        return False
    if len(records) > 1:
        # Keys seldom repeat from one object to the next: they are data if the values are alike.
        return _have_same_shape([column[0] for column in islice(columns.values(), SAMPLED)])
    values = [column[0] for column in islice(columns.values(), SAMPLED)]
    if all(isinstance(value, dict) for value in values) and 2 * sum(map(_is_data, columns)) > len(columns):
        return True
    return _have_same_shape(values) and (isinstance(values[0], dict) or largest >= _SCALARS_MAKE_A_MAP)


def _is_data(name: str) -> bool:
    """Whether a key is no name of a field: a path, an address, an id."""
    return not name.isidentifier() and any(mark in name for mark in "/.:@ ")


def _have_same_shape(values: list[Any]) -> bool:
    if len({kind_of(kind) for kind in set(map(type, values))}) > 1:
        return False
    if not isinstance(values[0], dict):
        return True
    looked_at = [set(islice(value, MOST_FIELDS)) for value in values[:_SAME_SHAPE_LOOKED_AT]]
    everywhere = set.intersection(*looked_at)
    return bool(everywhere) and 2 * len(everywhere) >= len(set.union(*looked_at))


LINE = 100
"""Objects whose description is longer get one line per field."""
NAME = 60
"""Characters of a field's name that are shown."""
_PLAIN_NAME = re.compile(r"[\w$@-]+")


@dataclass(frozen=True, slots=True)
class ShapeFormat:
    """One way to write a shape.

    Attributes:
        levels: Levels of objects that are opened.
        fields: Fields of one object.
        types: Whether fields have their types.
        inner: Fields of an object inside an object, named without their types; ``None``: as the outer ones.
    """

    levels: int
    fields: int = MOST_FIELDS
    types: bool = True
    inner: int | None = None


_FORMS = (
    ShapeFormat(MOST_LEVELS),
    ShapeFormat(3),
    ShapeFormat(2),
    ShapeFormat(2, inner=6),
    ShapeFormat(1),
    ShapeFormat(1, types=False),
    ShapeFormat(1, 12, types=False),
    ShapeFormat(1, 4, types=False),
    ShapeFormat(0),
)


def shape_text(shape: Shape, room: int, *, note_sampling: bool = True) -> str:
    """Write a shape in at most ``room`` characters: with fewer levels, then names alone; ``""`` if nothing fits.

    Args:
        shape: What was seen.
        room: Characters.
        note_sampling: Whether the outermost array tells how many of its items were looked at.
    """
    for form in _FORMS:
        writing = _ShapeWriter(form, room)
        text = writing.write(shape, form.levels, note_sampling=note_sampling)
        if writing.room >= 0 and len(text) <= room:
            return text
    return ""


class _ShapeWriter:
    """Writes in one form; ``room`` falls with every field and is negative once the text is too long to be of use."""

    def __init__(self, form: ShapeFormat, room: int) -> None:
        self.form = form
        self.room = room

    def write(self, shape: Shape, levels: int, *, note_sampling: bool = True) -> str:
        forms = list(shape.scalars)
        if shape.objects is not None:
            forms.append(self._objects(shape.objects, levels))
        if shape.arrays is not None:
            forms.append(self._arrays(shape.arrays, levels, note_sampling=note_sampling))
        return "|".join(forms) or "nothing"

    def _arrays(self, arrays: Arrays, levels: int, *, note_sampling: bool) -> str:
        length = _span(arrays.lengths)
        if arrays.lengths.most == 0:
            return "[]"
        if arrays.items is None or levels == 0:
            return f"[…{length}]"
        note = "" if arrays.complete or not note_sampling else f" ({number(arrays.looked_at)} sampled)"
        # An array of objects is no level of its own: its items are what one wants to see.
        return f"[{length}{note} x {self.write(arrays.items, levels if arrays.items.objects else levels - 1)}]"

    def _objects(self, objects: Objects, levels: int) -> str:
        if objects.keys.most == 0:
            return "{}"
        if levels == 0 or (objects.fields is None and objects.values is None):
            return f"{{…{_span(objects.keys)}}}"
        if objects.values is not None:
            return self._map(objects, objects.values, levels)
        return self._record(objects, levels)

    def _map(self, objects: Objects, values: Shape, levels: int) -> str:
        note = "" if objects.complete else f"; {number(objects.looked_at)} sampled"
        such = ", ".join(field_name(name, quoted=True) for name in objects.examples)
        keys = "key" if objects.keys.most == 1 else "keys"
        # A map is no level of its own either.
        inner = self.write(values, levels if values.objects and not values.objects.values else levels - 1)
        return f"{{<key>: {inner}}} ({_span(objects.keys)} {keys} such as {such}{note})"

    def _record(self, objects: Objects, levels: int) -> str:
        known = objects.fields or {}
        is_inner = self.form.inner is not None and levels < self.form.levels
        most = self.form.inner if is_inner and self.form.inner is not None else self.form.fields
        types = self.form.types and not is_inner
        lines: list[tuple[str, str]] = []
        for name, member in islice(known.items(), most):
            if self.room < 0:
                break
            line = field_name(name)
            self.room -= len(line)
            if member.present < objects.seen:
                line += f"? (in {member.present} of {objects.seen})" if types else "?"
            lines.append((line, self.write(member.shape, levels - 1) if types else ""))
        hidden = objects.hidden + len(known) - len(lines)
        if hidden:
            exact = objects.keys.most <= MOST_FIELDS or objects.seen == 1
            lines.append((f"…{'' if exact else 'at least '}{number(hidden)} more", ""))
        return _layout(lines, one_line=not types)


def _layout(fields: list[tuple[str, str]], *, one_line: bool) -> str:
    """Write names and types on one line, or on one line each; then neighbours of one scalar type share a line."""
    pieces = [f"{name}: {kind}" if kind else name for name, kind in fields]
    text = ", ".join(pieces)
    if one_line or (len(text) <= LINE and "\n" not in text):
        return f"{{{text}}}"
    lines: list[str] = []
    last = ""
    for (name, kind), piece in zip(fields, pieces, strict=True):
        if kind and kind == last and "?" not in name and len(lines[-1]) + len(name) < LINE:
            lines[-1] = f"{lines[-1].removesuffix(f': {kind}')}, {piece}"
        else:
            lines.append(piece)
        last = kind if kind.isalpha() and "?" not in name else ""
    inside = "\n".join(lines).replace("\n", "\n  ")
    return f"{{\n  {inside}\n}}"


def field_name(name: str, *, quoted: bool = False) -> str:
    """Write the name of a field, as JSON where it is more than one plain word or ``quoted`` is asked for."""
    if len(name) > NAME:
        return f'{quote(name[:NAME])[:-1]}…(+{number(len(name) - NAME)} characters)"'
    return name if not quoted and _PLAIN_NAME.fullmatch(name) else quote(name)


def _span(span: Span) -> str:
    return number(span.least) if span.least == span.most else f"{number(span.least)}-{number(span.most)}"
