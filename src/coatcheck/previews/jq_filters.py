"""Example jq filters that are valid and fit the shape at hand."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from coatcheck.previews.schema import Objects, Shape
from coatcheck.previews.wording import quote
from coatcheck.references import Index, Key, Path

NAME = 60
"""Longest field name, in characters, that an example uses."""
TEXT = 30
"""Longest text, in characters, that an example compares with."""
MOST_FIELDS = 20
"""Fields among which one to select by is looked for."""
TELLING = ("id", "number", "key", "name", "title", "path", "login", "state", "status", "type", "date", "created_at")
"""Field names that identify or describe a record almost everywhere."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def jq_path(path: Path) -> str:
    """Write a path of keys and positions as a jq filter."""
    text = ""
    for step in path.steps:
        if isinstance(step, Key):
            text += _field(step.name, first=not text)
        elif isinstance(step, Index):
            text += f"{'' if text else '.'}[{step.position}]"
        else:
            text += f"{'' if text else '.'}{step}"
    return text or "."


def for_array(place: Path, items: Shape, sampled: Sequence[Any]) -> str:
    """Give a filter over the items of the array at ``place``: a projection, a selection or a summary."""
    body = _for_items(items, sampled)
    return body if not place else f"{jq_path(place)} | {body}"


def for_map(place: Path, values: Shape) -> str:
    """Give a filter over the values of the map at ``place``."""
    names = _light_fields(values.objects) if values.objects else []
    if not names:
        body = "keys | .[:20]"
    elif values.scalars or values.arrays:
        body = f"[.[] | objects | {_projection(names)}]"
    else:
        body = f"map_values({_projection(names)})"
    return body if not place else f"{jq_path(place)} | {body}"


def for_record(record: dict[str, Any]) -> str:
    """Give a filter for an object without a list worth the name: some of its fields."""
    names = [name for name in islice(record, 40) if _usable(name)]
    plain = [name for name in names if not isinstance(record[name], (dict, list, tuple))]
    return _projection((plain or names)[:3]) if names else "keys"


def _for_items(items: Shape, sampled: Sequence[Any]) -> str:
    if items.objects is not None:
        names = _light_fields(items.objects)
        if not names:
            return "map(objects | keys)"
        guard = "objects | " if items.scalars or items.arrays else ""
        chosen = _selection(names, sampled)
        return f"map({guard}{chosen}{_projection(names)})"
    if items.arrays is not None:
        return "map(arrays | .[0])" if items.scalars else "map(.[0])"
    if set(items.scalars) <= {"integer", "number"}:
        return "{count: length, least: min, most: max}"
    return "unique | .[:20]"


def _light_fields(objects: Objects) -> list[str]:
    """Up to three fields worth a projection: those that all have first, scalars before containers."""
    fields = [(name, field) for name, field in (objects.fields or {}).items() if _usable(name)]
    plain = [pair for pair in fields if pair[1].shape.objects is None and pair[1].shape.arrays is None]
    everywhere = [name for name, field in plain or fields if field.present == objects.seen]
    return most_telling(everywhere or [name for name, _ in plain or fields])[:3]


def most_telling(names: Sequence[str]) -> list[str]:
    """Order field names: those by which people know records first, the others as they come."""
    known = [name for name in TELLING if name in names]
    return [*known, *(name for name in names if name not in known)]


def _selection(names: list[str], sampled: Sequence[Any]) -> str:
    """A condition that some but not all of the sampled items meet, on one of the fields; ``""`` without one."""
    records = [item for item in sampled if isinstance(item, dict)]
    fields = dict.fromkeys([*names, *(name for name in islice(records[0], MOST_FIELDS) if _usable(name))])
    for name in fields:
        if not isinstance(records[0].get(name), str):
            continue
        values = [value for record in records if isinstance(value := record.get(name), str)]
        different = set(values)
        if 2 * len(different) > len(values) or not all(map(_comparable, different)):
            continue
        for value in values:
            if 1 < values.count(value) < len(records):
                return f"select({_field(name, first=True)} == {quote(value)}) | "
    return ""


def _comparable(text: str) -> bool:
    return 0 < len(text) <= TEXT and text.isascii() and text.isprintable()


def _usable(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= NAME and name.isprintable()


def _projection(names: Sequence[str]) -> str:
    if len(names) == 1:
        return _field(names[0], first=True)
    return f"{{{', '.join(name if _is_identifier(name) else quote(name) for name in names)}}}"


def _field(name: str, *, first: bool) -> str:
    if _is_identifier(name):
        return f".{name}"
    return f"{'.' if first else ''}[{quote(name)}]"


def _is_identifier(name: str) -> bool:
    return _IDENTIFIER.fullmatch(name) is not None
