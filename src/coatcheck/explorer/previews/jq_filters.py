"""Example jq filters that are valid, match the data and have short results."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from coatcheck.codec import open_json_text
from coatcheck.explorer.previews.columns import Columns
from coatcheck.explorer.previews.jq_picks import (
    LONG_TEXT,
    MOST,
    Pick,
    field,
    fitting,
    fitting_picks,
    is_identifier,
    is_long_text,
    is_usable,
    picked_values,
    picks,
    projection,
)
from coatcheck.explorer.previews.shape import SAMPLED, Objects, Shape, describe
from coatcheck.explorer.previews.wording import quote
from coatcheck.references import Index, Key, Path

TEXT = 30
"""Maximum characters of a text in a comparison."""
SHOWN = 3
"""Items that a preview shows at least in part."""
FEW = 20
"""Maximum items in the result of a filter."""
DOCUMENT = 2_000
"""Maximum characters of a JSON text whose fields are looked at."""
MOST_FIELDS = 20
"""Fields that are considered for a selection."""
MOSTLY = 0.8
"""Share of the items from which a value that they have is uninformative."""
NAME_AND_VALUE = 2
"""Members of a cell that has both."""
MOST_BESIDE = 1
"""Maximum fields besides the one that an item wraps."""


_CATEGORY = re.compile(r"\D*(?:\d\D*){0,3}")
_TITLES = frozenset({"name", "title", "message", "summary", "text"})
"""Fields that say more about a record than a list in it."""
_TROUBLE = re.compile(r"fail|error|down|crash|critical|reject|denied|exited|cancel|timeout|lost", re.IGNORECASE)


def jq_path(path: Path) -> str:
    """Write a path of keys and positions as a jq filter."""
    text = ""
    for step in path.steps:
        if isinstance(step, Key):
            text += field(step.name, first=not text)
        elif isinstance(step, Index):
            text += f"{'' if text else '.'}[{step.position}]"
        else:
            text += f"{'' if text else '.'}{step}"
    return text or "."


def for_array(place: Path, items: Shape, sampled: Sequence[Any], total: int) -> str:
    """Return a filter over the items of the array at ``place``: a selection, a projection or a summary."""
    body = _for_inner(items, sampled) if total <= SHOWN or _has_mostly_lists(items) else ""
    if not body:
        body, most = _for_items(items, sampled)
        body += f" | .[:{most}]" if 0 < most < total else ""
    return body if not place else f"{jq_path(place)} | {body}"


def _for_inner(items: Shape, sampled: Sequence[Any]) -> str:
    """Return a filter over the records inside a few records that are all shown; ``""`` without any."""
    for name, found in ((items.objects.fields or {}) if items.objects else {}).items():
        inner = found.arrays.items if found.arrays is not None else None
        if inner is not None and inner.objects is not None and is_identifier(name):
            parts = [item.get(name) for item in sampled if isinstance(item, dict)]
            records = [record for part in parts if isinstance(part, list) for record in part[:FEW]]
            shape = describe(records)
            objects = shape.objects if all(isinstance(record, dict) for record in records) else None
            picked = picks(objects, records) if objects is not None else []
            if objects is not None and _has_mostly_lists(shape) and (deeper := _for_inner(shape, records)):
                return f"map(.{name}[]? | {deeper.removeprefix('map(')}"
            if picked:
                listed = f".{name}[]?" if found.objects is None else f".{name} | arrays[]"
                if items.scalars or items.arrays:
                    listed = f"objects | {listed}"
                return f"map({listed} | {projection(picked)}) | .[:{fitting_picks(picked, records, FEW)}]"
    return ""


def _has_mostly_lists(items: Shape) -> bool:
    """Whether records contain lists of more informative records, such as reservations with instances."""
    if items.objects is None:
        return False
    scalars, most = 0, 0
    for name, found in (items.objects.fields or {}).items():
        arrays = found.arrays
        if name.lower() in _TITLES:
            return False
        if arrays is None:
            scalars += found.objects is None
        elif _are_pairs(arrays.items):
            pass  # tags
        elif found.seen == items.objects.seen and arrays.items is not None and arrays.items.objects is not None:
            most = max(most, len(arrays.items.objects.fields or ()))
    return most > max(scalars, 1)


def _are_pairs(items: Shape | None) -> bool:
    """Whether items are names with values: ``{Key, Value}``."""
    fields = items.objects.fields if items is not None and items.objects is not None else None
    return len(fields or ()) == NAME_AND_VALUE and not any(f.objects or f.arrays for f in (fields or {}).values())


def for_header_row(place: Path) -> str:
    """Return a filter that makes objects of rows whose columns are named by the first one."""
    lead = f"{jq_path(place)} | " if place else ""
    return f"{lead}.[0] as $c | .[1:] | map([$c, .] | transpose | map({{(.[0]): .[1]}}) | add) | .[:{FEW}]"


def for_parallel(place: Path, names: Sequence[str], *, are_maps: bool) -> str:
    """Return a filter that turns parallel lists, or maps with the same keys, into objects with one item of each."""
    parent = Path(place.steps[:-1])
    lists = ", ".join(jq_path(parent.child(Key(name))) for name in names)
    entries = ", ".join(f"{name if is_identifier(name) else quote(name)}: .[{n}]" for n, name in enumerate(names))
    return f"[{lists}] |{' map([.[]]) |' if are_maps else ''} transpose | map({{{entries}}}) | .[:{FEW}]"


def for_columns(place: Path, columns: Columns) -> str:
    """Return a filter that makes objects of the rows of a table whose columns are named once."""
    names = jq_path(columns.place)
    named = f"[{names}[].name]" if columns.are_objects else names
    body = "map([$c, .] | transpose | map({(.[0]): .[1]}) | add)"
    chosen = _selection(columns.names, columns.records()).removesuffix(" | ")
    return f"{named} as $c | {jq_path(place)} | {body}{f' | map({chosen})' if chosen else ''} | .[:{FEW}]"


def for_map(place: Path, values: Shape, sampled: Mapping[str, Any], total: int) -> str:
    """Return a filter over the values of the map at ``place``."""
    picked = picks(values.objects, _records(list(sampled.values()))) if values.objects else []
    most = fitting(([("", name), *picked_values(picked, member)] for name, member in sampled.items()), FEW)
    few = "" if total <= most else f"to_entries | .[:{most}] | from_entries | "
    if not picked:
        is_lists = values.arrays is not None and not values.scalars and values.objects is None
        body = f"{few}map_values(length)" if is_lists else f"keys | .[:{FEW}]"
        if values.scalars and set(values.scalars) <= {"integer", "number"} and not (values.objects or values.arrays):
            body = f"to_entries | sort_by(.value) | reverse | .[:{FEW}] | from_entries"
    elif values.scalars or values.arrays:
        body = f"[.[] | objects | {projection(picked)}] | .[:{most}]"
    else:
        body = f"{few}map_values({projection(picked)})"
    return body if not place else f"{jq_path(place)} | {body}"


def for_record(record: dict[str, Any]) -> str:
    """Return a filter for an object without a significant list: some of its fields."""
    names = [name for name in islice(record, 40) if is_usable(name)]
    plain = [name for name in names if not isinstance(record[name], (dict, list, tuple))]
    picked = [Pick((name,), is_long_text((record[name],))) for name in (plain or names)[:MOST]]
    return projection(picked) if picked else "keys"


def _for_items(items: Shape, sampled: Sequence[Any]) -> tuple[str, int]:
    """Return a filter, and how many of its results are few enough; 0 for one result."""
    if items.objects is not None:
        records = _records(sampled)
        inner = _wrapped(items.objects)
        if inner is not None and inner[1].objects is not None and not items.scalars and not items.arrays:
            name, shape = inner
            inside = [record[name] for record in records if isinstance(record.get(name), dict)]
            if not shape.scalars and not shape.arrays and inside:
                body, most = _for_items(describe(inside), inside)
                return f"map(.{name} | {body[4:]}", most
        picked = picks(items.objects, records)
        if not picked:
            return _for_cells(items.objects) or "map(objects | keys)", FEW
        guard = "objects | " if items.scalars or items.arrays else ""
        chosen = _with_trouble(items.objects) or _selection([str(pick.steps[0]) for pick in picked], records)
        if chosen and any(pick.named and quote(pick.named) in chosen for pick in picked):
            chosen = ""  # the picked fields tell the kinds apart
        if chosen and len(picked) == 1 and (of_kind := _of_kind(chosen, records)):
            picked = of_kind
        most = fitting_picks(picked, records, FEW, total=len(records) if len(sampled) < SAMPLED else 0)
        return f"map({guard}{chosen}{projection(picked)})", most
    if items.arrays is not None:
        return ("map(arrays | .[0])", FEW) if items.scalars or items.objects else _for_rows(sampled)
    return _for_scalars(items, sampled)


def _for_scalars(items: Shape, sampled: Sequence[Any]) -> tuple[str, int]:
    if set(items.scalars) <= {"integer", "number"}:
        return "{count: length, least: min, most: max}", 0
    if documents := _documents(sampled):
        body, most = _for_items(describe(documents), documents)
        return f"map(fromjson | {body[4:]}", most
    if is_long_text(sampled):
        return f"map(strings | .[:{LONG_TEXT}])", FEW
    given = [value for value in sampled if value is not None]
    if len(set(given)) < max(len(given), 1):
        return "unique", FEW
    return "{count: length, different: (unique | length)}", 0


def _documents(texts: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the objects that texts contain as JSON, such as the bodies of messages; none if one contains none."""
    if not all(isinstance(text, str) and text[:1] == "{" and len(text) <= DOCUMENT for text in texts):
        return []
    found = [value for text in texts if isinstance(value := open_json_text(text), dict)]
    return found if len(found) == len(texts) else []


def _with_trouble(objects: Objects) -> str:
    """A condition that few records meet: they have a field that reports an error, as the cases of test reports do."""
    few = [name for name, found in (objects.fields or {}).items() if 0 < MOST * found.seen < objects.seen]
    named = [field(name, first=True) for name in few if _TROUBLE.search(name) and is_usable(name)]
    return f"select({' or '.join(named[:MOST])}) | " if named else ""


def _of_kind(chosen: str, records: Sequence[dict[str, Any]]) -> list[Pick]:
    """Pick fields of the records of one kind, where records of several kinds have only the kind in common."""
    kept = [record for record in records if any(chosen == _condition(*each) for each in record.items())]
    objects = describe(kept).objects if kept else None
    return picks(objects, kept) if objects is not None else []


def _condition(name: str, value: Any) -> str:
    return f"select({field(name, first=True)} == {quote(value)}) | " if isinstance(value, str) else ""


def _for_cells(objects: Objects) -> str:
    """Return a filter for records that hold one list of cells, each an object of one value: ``{f: [{v: …}]}``."""
    for name, found in (objects.fields or {}).items():
        cells = found.arrays.items if found.arrays is not None else None
        fields = (cells.objects.fields or {}) if cells is not None and cells.objects is not None else {}
        plain = [inner for inner, known in fields.items() if is_usable(inner) and known.objects is None]
        if len(plain) == 1 and is_usable(name):
            return f"map([{field(name, first=True)}[]? | {field(plain[0], first=True)}])"
    return ""


def _wrapped(objects: Objects) -> tuple[str, Shape] | None:
    """Return the one field with an object if the items have little else: the ``node`` of GraphQL's edges."""
    fields = objects.fields or {}
    if len(fields) > MOST_BESIDE + 1 or any(found.seen < objects.seen for found in fields.values()):
        return None
    inner = [(name, found) for name, found in fields.items() if found.objects is not None]
    if len(inner) != 1 or not is_identifier(inner[0][0]):
        return None
    inside = inner[0][1].objects
    common = [found for found in ((inside and inside.fields) or {}).values() if inside and found.seen == inside.seen]
    return inner[0] if common else None  # objects of several kinds are told apart by the field beside them


def _records(sampled: Sequence[Any]) -> list[dict[str, Any]]:
    return [item for item in sampled if isinstance(item, dict)]


def _selection(names: list[str], records: Sequence[dict[str, Any]]) -> str:
    """A condition on a field that some but not most sampled items meet, one of trouble if possible; ``""`` if none."""
    chosen = ""
    first = records[0]
    for name in dict.fromkeys([*names, *islice(first, MOST_FIELDS)]):
        if not isinstance(first.get(name), str) or not is_usable(name):
            continue
        values = [value for record in records if isinstance(value := record.get(name), str)]
        different = set(values)
        if 2 * len(different) > len(values) or not all(map(_comparable, different)):
            continue
        value = _telling(values, len(records))
        if value and _TROUBLE.search(value):
            return _condition(name, value)
        chosen = chosen or (_condition(name, value) if value else "")
    return chosen


def _telling(values: Sequence[str], total: int) -> str:
    """Return a value that some but not most of the sampled items have, one of trouble if possible; ``""`` if none."""
    counts = {value: values.count(value) for value in dict.fromkeys(values)}
    trouble = (value for value, count in counts.items() if count < total and _TROUBLE.search(value))
    return next(trouble, "") or next((value for value, count in counts.items() if 1 < count <= MOSTLY * total), "")


def _comparable(text: str) -> bool:
    """Whether a text may be a category: dates, addresses and hashes have more digits, times are in the past."""
    is_short = 0 < len(text) <= TEXT and text.isascii() and text.isprintable()
    return is_short and _CATEGORY.fullmatch(text) is not None and not text.endswith(" ago")


def _for_named_cells(rows: Sequence[Any]) -> tuple[str, int]:
    """Return a filter for rows of cells that have a name and a value, or a value alone; ``""`` for other rows."""
    if not all(isinstance(row, (list, tuple)) and 0 < len(row) <= MOST_FIELDS for row in rows):
        return "", 0
    cells = [cell for row in rows for cell in row]
    if not all(isinstance(cell, dict) and 0 < len(cell) <= NAME_AND_VALUE for cell in cells):
        return "", 0
    if all(len(cell) == 1 for cell in cells):
        return "map(map(.[]))", fitting(([("", *cell.values()) for cell in row] for row in rows), FEW)
    keys = list(cells[0])
    if not all(list(cell) == keys and isinstance(cell[keys[0]], str) for cell in cells) or not all(
        map(is_usable, keys)
    ):
        return "", 0
    if len(keys) != NAME_AND_VALUE or len({cell[keys[0]] for cell in rows[0]}) < len(rows[0]):
        return "", 0
    name, value = (field(key, first=True) for key in keys)
    most = fitting(([tuple(cell.values()) for cell in row] for row in rows), FEW)
    return f"map(map({{({name}): {value}}}) | add)", most


def _for_rows(rows: Sequence[Any]) -> tuple[str, int]:
    """Return a filter for rows without names: those of one category, else those with the largest numbers."""
    named = _for_named_cells(rows)
    return named if named[0] else (_for_plain_rows(rows), FEW)


def _for_plain_rows(rows: Sequence[Any]) -> str:
    width = len(rows[0]) if isinstance(rows[0], (list, tuple)) else 0
    if not 1 < width <= MOST_FIELDS or any(not isinstance(row, (list, tuple)) or len(row) != width for row in rows):
        return "map(.[0])"
    columns = list(zip(*rows, strict=True))
    if not any(isinstance(cell, str) for cell in rows[0]):
        return "map(.[0])"
    differ = [place for place, column in enumerate(columns) if any(cell != column[0] for cell in column)]
    shown = ", ".join(f".[{place}]" for place in differ[:MOST]) if len(differ) < width or width > MOST else ""
    shown = f"[{shown}]" if len(differ) > 1 and shown else shown
    for place in differ:
        texts = [cell for cell in columns[place] if isinstance(cell, str)]
        if len(texts) == len(rows) and 2 * len(set(texts)) <= len(texts) and all(map(_comparable, texts)):
            value = _telling(texts, len(rows))
            if value:
                return f"map(select(.[{place}] == {quote(value)}){f' | {shown}' if shown else ''})"
    if shown:
        return f"map({shown})"
    numbers = [place for place in differ if all(type(cell) in (int, float) for cell in columns[place])]
    return f"sort_by(-.[{numbers[0]}])" if numbers else "map(.[0])"
