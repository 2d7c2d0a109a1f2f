"""Example jq filters that are valid, fit the data at hand and give little."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from coatcheck.explorer.previews.columns import Columns
from coatcheck.explorer.previews.shape import Objects, Shape, describe
from coatcheck.explorer.previews.wording import quote
from coatcheck.references import Index, Key, Path

NAME = 60
"""Longest field name, in characters, that an example uses."""
TEXT = 30
"""Longest text, in characters, that an example compares with."""
LONG_TEXT = 100
"""Characters of a text in a list from which on its start is shown; those it has on average."""
SHOWN = 3
"""Items that a preview shows at least in part."""
FEW = 20
"""Items that a filter gives at the most."""
MOST_FIELDS = 20
"""Fields among which one to select by is looked for."""
TELLING = ("id", "number", "key", "name", "title", "path", "login", "state", "status", "type", "date", "created_at")
"""Field names that identify or describe a record almost everywhere."""
MOST_BESIDE = 1
"""Fields beside the one that an item wraps."""
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


def for_array(place: Path, items: Shape, sampled: Sequence[Any], total: int) -> str:
    """Give a filter over the items of the array at ``place``: a selection, a projection or a summary."""
    body = (_for_inner(items, sampled) if total <= SHOWN else "") or _for_items(items, sampled)
    if body.startswith("map(") and total > FEW:
        body += f" | .[:{FEW}]"
    return body if not place else f"{jq_path(place)} | {body}"


def _for_inner(items: Shape, sampled: Sequence[Any]) -> str:
    """Give a filter over the records inside of a few records, which are all shown themselves; ``""`` without any."""
    for name, field in ((items.objects.fields or {}) if items.objects else {}).items():
        inner = field.shape.arrays.items if field.shape.arrays is not None else None
        if inner is not None and inner.objects is not None and _is_identifier(name):
            found = [item.get(name) for item in sampled if isinstance(item, dict)]
            records = [record for part in found if isinstance(part, list) for record in part[:FEW]]
            objects = describe(records).objects if all(isinstance(record, dict) for record in records) else None
            names = _light_fields(objects) if objects is not None else []
            if names:
                listed = f".{name}[]?" if field.shape.objects is None else f".{name} | arrays[]"
                return f"map({listed} | {_projection(names)}) | .[:{FEW}]"
    return ""


def for_columns(place: Path, columns: Columns) -> str:
    """Give a filter that makes objects of the rows of a table whose columns are named once."""
    parent = Path(place.steps[:-1])
    names = jq_path(parent.child(columns.key))
    named = f"[{names}[].name]" if columns.are_objects else names
    body = "map([$c, .] | transpose | map({(.[0]): .[1]}) | add)"
    chosen = _selection(columns.names, columns.records()).removesuffix(" | ")
    return f"{named} as $c | {jq_path(place)} | {body}{f' | map({chosen})' if chosen else ''} | .[:{FEW}]"


def for_map(place: Path, values: Shape, total: int) -> str:
    """Give a filter over the values of the map at ``place``."""
    names = _light_fields(values.objects) if values.objects else []
    few = "" if total <= FEW else f"to_entries | .[:{FEW}] | from_entries | "
    if not names:
        body = f"keys | .[:{FEW}]"
    elif values.scalars or values.arrays:
        body = f"[.[] | objects | {_projection(names)}] | .[:{FEW}]"
    else:
        body = f"{few}map_values({_projection(names)})"
    return body if not place else f"{jq_path(place)} | {body}"


def for_record(record: dict[str, Any]) -> str:
    """Give a filter for an object without a list worth the name: some of its fields."""
    names = [name for name in islice(record, 40) if _usable(name)]
    plain = [name for name in names if not isinstance(record[name], (dict, list, tuple))]
    return _projection((plain or names)[:3]) if names else "keys"


def _for_items(items: Shape, sampled: Sequence[Any]) -> str:
    if items.objects is not None:
        inner = _wrapped(items.objects)
        if inner is not None and inner[1].objects is not None and not items.scalars and not items.arrays:
            name, shape = inner
            records = [item[name] for item in sampled if isinstance(item, dict) and isinstance(item.get(name), dict)]
            if not shape.scalars and not shape.arrays and records:
                return f"map(.{name} | {_for_items(describe(records), records)[4:]}"
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
    texts = [item for item in sampled if isinstance(item, str)]
    if sum(map(len, texts)) > LONG_TEXT * len(texts):
        return f"map(strings | .[:{LONG_TEXT}])"
    return "unique | .[:20]"


def _wrapped(objects: Objects) -> tuple[str, Shape] | None:
    """Give the one field that holds an object, where the items are hardly more: the ``node`` of GraphQL's edges."""
    fields = list((objects.fields or {}).items())
    inner = [(name, field.shape) for name, field in fields if field.shape.objects is not None]
    if len(inner) != 1 or len(fields) > MOST_BESIDE + 1 or not _is_identifier(inner[0][0]):
        return None
    return inner[0] if all(field.present == objects.seen for _, field in fields) else None


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
