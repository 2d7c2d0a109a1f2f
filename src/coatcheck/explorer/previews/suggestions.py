"""Which calls to suggest for a list or an object, with its real paths, fields and words."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from coatcheck.explorer.previews.main_part import KEY, RUN, Main, call, label_of, passing
from coatcheck.explorer.previews.shape import SAMPLED, Objects, Shape, pick
from coatcheck.explorer.previews.wording import Subject, quote
from coatcheck.references import Index, Key, Path, Reference, Slice

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


_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{3,19}")


def suggestions(value: Any, main: Main | None, subject: Subject) -> Iterator[str]:
    """Next steps, the most useful first; none where the value was not kept."""
    target = subject.target
    if target is None:
        return
    part = _part(value, main)
    if not part:
        yield passing(target, Path())
        return
    yield call("get", Reference(target.object_id, target.path.join(part.steps)))
    yield passing(target, _inner(value, part))
    if main is None:
        yield call("query", target, filter=for_record(value))
    elif isinstance(main.container, dict):
        yield call("query", target, filter=for_map(main.place, main.shape))
    else:
        filter_ = for_array(main.place, main.shape, pick(main.container, SAMPLED))
        yield call("query", target, filter=filter_)
    word = _word(value, main)
    if word:
        yield call("grep", target, pattern=word)
    if main is not None and len(main.container) > 3:  # noqa: PLR2004
        yield _page(target, main)


def _page(target: Reference, main: Main) -> str:
    """The call that gives the next members of the main part."""
    there = target.path.join(main.place.steps)
    start = RUN if main.is_run else 2
    end = min(start + 20, len(main.container))
    if start >= end:
        return ""
    return call("slice", Reference(target.object_id, there), start=start, end=end)


def _part(value: Any, main: Main | None) -> Path:
    """A part worth reading next that no sample shows, if there is one; the root where there is no part."""
    if main is None:
        if not isinstance(value, dict):
            return Path()
        names = [name for name in islice(value, SAMPLED) if len(name) <= KEY]
        containers = [name for name in names if isinstance(value[name], (dict, list, tuple))]
        return Path((Key((containers or names)[0]),)) if names else Path()
    if label_of(main.place) != str(main.place):
        return Path()
    if isinstance(main.container, dict):
        found = [name for name in islice(main.container, 3) if len(name) <= KEY]
        return main.place.child(Key(found[-1])) if found else main.place
    total = len(main.container)
    if main.is_run:
        start = RUN if total > RUN + 1 else 0
        return main.place.child(Slice(start, min(start + 20, total)))
    return main.place.child(Index(2 if total > 3 else 0))  # noqa: PLR2004


def _inner(value: Any, part: Path) -> Path:
    """A scalar inside the part, or the part itself."""
    for step in part.steps:
        if isinstance(step, Slice):
            return Path((*part.steps[:-1], Index(step.start or 0)))
        value = value[step.name if isinstance(step, Key) else step.position]
    if isinstance(value, dict):
        names = [name for name in islice(value, SAMPLED) if not isinstance(value[name], (dict, list, tuple))]
        telling = most_telling([name for name in names if len(name) <= KEY])
        if telling:
            return part.child(Key(telling[0]))
    return part


def _word(value: Any, main: Main | None) -> str:
    """A word that occurs in the texts of the first member; ``""`` without one."""
    member: Any = value
    if main is not None and main.container:
        container = main.container
        member = container[next(iter(container))] if isinstance(container, dict) else container[0]
    for text in _texts(member):
        found = _WORD.search(text[:KEY])
        if found is not None and "://" not in text[:KEY]:
            return found.group()
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        texts = [name for name in islice(value, SAMPLED) if isinstance(value[name], str)]
        yield from (value[name] for name in most_telling(texts))
    elif isinstance(value, (list, tuple)):
        yield from (text for text in islice(value, SAMPLED) if isinstance(text, str))
