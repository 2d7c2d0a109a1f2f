"""The shape of a value: the types, fields and lengths at each of its places, from a sample."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any

from coatcheck.explorer.previews.wording import NoJsonForm, kind_of

SAMPLED = 20
"""Values of one place that are examined."""
LEAST_OF_EACH = 3
"""Items of each array that are examined if a place has many arrays."""
MOST_FIELDS = 40
"""Fields of one object that are examined."""
MOST_VALUES = 3000
"""Values that are examined in total."""
MOST_LEVELS = 6
HALF = 0.5
"""Levels that an enclosing object of few fields may add."""
FEW = 3
LONGEST_PLAIN_NAME = 30
ALWAYS_A_MAP = 200
"""An object with more keys is described as a map from keys to values of one type."""
_RECORDS_MAKE_A_MAP = 8
_MANY_MAKE_A_MAP = 25
_SAME_SHAPE_LOOKED_AT = 6
_ALONE: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}
"""Classes of scalars without further properties."""
_ORDER = ("string", "integer", "number", "boolean", "null")


@dataclass(slots=True)
class Span:
    """Minimum and maximum of a count."""

    least: int
    most: int


@dataclass(slots=True)
class Objects:
    """The objects at one place: records with fields, or maps from keys to values of one shape."""

    seen: int
    keys: Span
    fields: "dict[str, Shape] | None" = None
    hidden: int = 0
    values: "Shape | None" = None
    names: tuple[str, ...] = ()  # of few fields that are not described; those that some objects lack with ?
    examples: tuple[str, ...] = ()
    looked_at: int = 0
    complete: bool = True


@dataclass(slots=True)
class Arrays:
    """The arrays at one place and the shape of their items."""

    lengths: Span
    items: "Shape | None" = None
    looked_at: int = 0
    complete: bool = True


@dataclass(slots=True)
class Shape:
    """The values at one place; of a field, as many were seen as objects that have it."""

    seen: int
    scalars: list[str]
    objects: Objects | None = None
    arrays: Arrays | None = None


Pending = deque[tuple[Shape, Sequence[dict[Any, Any]], Sequence[Sequence[Any]], float]]
"""Shapes, the objects and arrays to describe further, and their level."""


def describe(values: Sequence[Any]) -> Shape:
    """Describe the values of one place and everything below them, within fixed bounds.

    Raises:
        NoJsonForm: An examined value is not a JSON value.
    """
    pending: Pending = deque()
    root = _describe_values(values, 0, pending)
    left = MOST_VALUES
    while pending and left > 0:
        shape, records, arrays, level = pending.popleft()
        if shape.objects is not None:
            left -= _open_objects(shape.objects, records, level, pending)
        if shape.arrays is not None:
            left -= _open_arrays(shape.arrays, arrays, level, pending)
    return root


def pick(items: Sequence[Any], count: int) -> Sequence[Any]:
    """Pick ``count`` items: the first ones, some spread over the rest, the last one."""
    total = len(items)
    if total <= count:
        return items
    first = (count + 1) // 2
    spread = count - first
    step = (total - first) / spread if spread else 0
    return [*items[:first], *(items[total - 1 - int(place * step)] for place in reversed(range(spread)))]


def _describe_values(values: Sequence[Any], level: float, pending: Pending) -> Shape:
    types = set(map(type, values))
    if len(types) == 1 and (alone := _ALONE.get(next(iter(types)))):
        return Shape(len(values), [alone])
    kinds = set(map(kind_of, types))
    if "number" in kinds:
        # the JSON form of non-finite numbers is null
        finite = {isfinite(value) for value in values if isinstance(value, float)}
        if False in finite:
            kinds.add("null")
        if True not in finite:
            kinds.discard("number")
    shape = Shape(len(values), [kind for kind in _ORDER if kind in kinds])
    is_mixed = len(kinds) > 1
    records = _instances(values, dict, is_mixed=is_mixed) if "object" in kinds else ()
    arrays = _instances(values, (list, tuple), is_mixed=is_mixed) if "array" in kinds else ()
    if records:
        shape.objects = Objects(len(records), _span_of(records))
    if arrays:
        shape.arrays = Arrays(_span_of(arrays))
    if (records or arrays) and level < MOST_LEVELS:
        pending.append((shape, records, arrays, level))
    elif shape.objects is not None and shape.objects.keys.most <= FEW:
        names = Counter(name for record in records[:SAMPLED] for name in record if is_plain_name(name))
        if len(names) <= FEW:
            count = min(len(records), SAMPLED)
            shape.objects.names = tuple(name if seen == count else f"{name}?" for name, seen in names.items())
    return shape


def is_plain_name(name: Any) -> bool:
    """Whether a key is a word, as fields have, and no data."""
    return isinstance(name, str) and name.isidentifier() and len(name) <= LONGEST_PLAIN_NAME


def _instances(values: Sequence[Any], kind: type | tuple[type, ...], *, is_mixed: bool) -> Sequence[Any]:
    return [value for value in values if isinstance(value, kind)] if is_mixed else values


def _span_of(containers: Sequence[Sized]) -> Span:
    sizes = set(map(len, containers))
    return Span(min(sizes), max(sizes))


def _open_arrays(arrays: Arrays, found: Sequence[Sequence[Any]], level: float, pending: Pending) -> int:
    share = max(SAMPLED // len(found), LEAST_OF_EACH)
    items: list[Any] = []
    for array in found:
        items.extend(pick(array, share))
    arrays.looked_at = len(items)
    arrays.complete = len(items) == sum(map(len, found))
    if items:
        arrays.items = _describe_values(items, level + 1, pending)
    return len(items)


def _open_objects(objects: Objects, records: Sequence[dict[Any, Any]], level: float, pending: Pending) -> int:
    columns = _columns(records, objects.keys)
    for name in columns:
        if not isinstance(name, str):
            raise NoJsonForm(type(name))
    if _is_map(records, columns, objects.keys.most):
        return _open_maps(objects, records, level, pending)
    shown = columns if len(columns) <= MOST_FIELDS else dict(islice(columns.items(), MOST_FIELDS))
    if objects.keys.most > MOST_FIELDS:
        # Not every key was examined: look up the shown ones, so that their counts are exact.
        shown = {name: [record[name] for record in records if name in record] for name in shown}
    inside = level + (HALF if len(records) == 1 and len(shown) <= FEW else 1)
    objects.fields = {name: _describe_values(values, inside, pending) for name, values in shown.items()}
    objects.hidden = max(len(columns), objects.keys.most) - len(shown)
    return sum(map(len, columns.values()))


def _columns(records: Sequence[dict[Any, Any]], keys: Span) -> Mapping[Any, Sequence[Any]]:
    if keys.least == keys.most <= ALWAYS_A_MAP and len(set().union(*records)) == keys.most:
        names = list(first := records[0])
        if keys.most > MOST_FIELDS:
            # Of many fields, non-empty ones are more informative than the first ones.
            names = sorted(names, key=lambda name: first[name] is None)[:MOST_FIELDS]
        return {name: [record[name] for record in records] for name in names}
    columns: dict[Any, list[Any]] = {}
    for record in records:
        for name, value in islice(record.items(), MOST_FIELDS):
            columns.setdefault(name, []).append(value)
    return columns


def _open_maps(objects: Objects, records: Sequence[dict[Any, Any]], level: float, pending: Pending) -> int:
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


def _is_map(records: Sequence[dict[Any, Any]], columns: Mapping[Any, Sequence[Any]], largest: int) -> bool:
    """Whether objects are maps, whose keys are data (ids, dates), and not records, whose keys are field names."""
    if largest > ALWAYS_A_MAP:
        return True
    if len(columns) < _RECORDS_MAKE_A_MAP or len(columns) * 10 < 6 * sum(map(len, columns.values())):
        return False
    if len(records) > 1:
        # Keys seldom repeat from one object to the next: they are data if the values are alike.
        return _have_same_shape([column[0] for column in islice(columns.values(), SAMPLED)])
    values = [column[0] for column in islice(columns.values(), SAMPLED)]
    if all(isinstance(value, dict) for value in values) and 2 * sum(map(_is_data, columns)) > len(columns):
        return True
    if largest >= _MANY_MAKE_A_MAP and all(isinstance(value, dict) for value in values):
        ((_, shared),) = Counter(name for value in values for name in islice(value, MOST_FIELDS)).most_common(1)
        return 4 * shared >= 3 * len(values)
    return _have_same_shape(values) and (isinstance(values[0], dict) or largest >= _MANY_MAKE_A_MAP)


def _is_data(name: str) -> bool:
    """Whether a key is data, not a field name: a path, an address, an id."""
    return not name.isidentifier() and any(mark in name for mark in "/.:@ ")


def _have_same_shape(values: list[Any]) -> bool:
    if len({kind_of(kind) for kind in set(map(type, values))}) > 1:
        return False
    if not isinstance(values[0], dict):
        return True
    looked_at = [set(islice(value, MOST_FIELDS)) for value in values[:_SAME_SHAPE_LOOKED_AT]]
    everywhere = set.intersection(*looked_at)
    return bool(everywhere) and 2 * len(everywhere) >= len(set.union(*looked_at))
