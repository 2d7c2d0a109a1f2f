"""Picks fields of records for an example filter, and writes them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Any, NamedTuple

from coatcheck.codec import dump_json
from coatcheck.explorer.previews.shape import Objects, Shape
from coatcheck.explorer.previews.token_estimate import estimate_tokens
from coatcheck.explorer.previews.wording import quote

NAME = 60
"""Maximum characters of a field name in an example."""
LONG_TEXT = 100
"""Average characters of a field's texts from which only their start is picked."""
START = 60
"""Characters of the start of a long text."""
MOST = 3
"""Maximum number of picked fields."""
OPAQUE = 60
"""Characters from which a text without a space is picked only if there are no other fields."""
TOKENS = 800
"""Maximum estimated tokens of a filter's result."""
ESTIMATED = 8
"""Rows from which the tokens of one are estimated."""
FEWEST = 5
"""Minimum number of records in it."""
SAME = 3
"""Number of records from which a field with one value in all of them is uninformative."""
_IDENTIFYING = (
    "id", "number", "key", "name", "title", "path", "login", "state", "status", "type", "date", "created_at", "level",
    "severity", "version", "summary", "message",
)  # fmt: skip
_RANKS = {name: rank for rank, name in enumerate(_IDENTIFYING)}
"""Field names that identify or describe a record almost everywhere."""
_TEXTS = (["string"], ["string", "null"])
_TYPE = re.compile(r"[A-Z]{1,4}|\$\w{1,40}|v|\w{0,40}[vV]alue")
"""Keys that name a value's type or are generic: ``{age: {N: "3"}}``."""


MOST_TYPED = 40
"""Members that are looked at."""
_TYPES_OF_TEXT = frozenset({"title", "rich_text", "text"})
_ABOUT = frozenset({"id", "type", "object", "color"})
"""Fields that describe a value instead of being one."""


class Pick(NamedTuple):
    """A field that is picked."""

    steps: tuple[str | int, ...]  # its path, of one or two keys as a rule
    is_long: bool = False  # whether it is a long text, of which the start is enough
    named: str = ""  # the key that names it, if the last one names its type: `{age: .age.N}`

    @property
    def name(self) -> str:
        """Its name in the result."""
        return self.named or str(self.steps[-1])

    def value_in(self, record: Any) -> Any:
        """Return its value in a record, of a long text the start."""
        value = record
        for step in self.steps:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and len(value) > step else None
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value[:START] if self.is_long and isinstance(value, str) else value

    def __str__(self) -> str:
        path = "".join(
            f"[{step}]" if isinstance(step, int) else field(step, first=not place)
            for place, step in enumerate(self.steps)
        )
        return f"{path}[:{START}]" if self.is_long else path


def picks(objects: Objects, records: Sequence[dict[str, Any]]) -> list[Pick]:
    """Choose up to three fields: scalars of all records that differ, those of objects inside them, then others.

    Members that name their type, as the properties of pages do, are more informative than what is around them.
    """
    scalars = {name: shape for name, shape in _fields(objects).items() if _is_scalar(shape)}
    if _may_have_typed_members(objects) and (typed := typed_members(records)):
        return [*([Pick(("id",))] if "id" in scalars else []), *typed[:MOST]]
    texts = {name: _texts(name, records) if "string" in shape.scalars else () for name, shape in scalars.items()}
    plain = identifying_fields([name for name in scalars if not _is_opaque(texts[name])] or scalars)
    differing = (n for n in plain if n[:1] != "_" and not _are_links(texts[n]) and _differs(n, records))
    telling = list(islice(differing, MOST))
    found = [Pick((name,), _is_long(scalars[name], texts[name])) for name in telling]
    if len(found) == MOST:
        return found
    found.extend(pick for pick in _inside(objects, records) if pick.name not in plain)
    found.extend(Pick((name,), _is_long(scalars[name], texts[name])) for name in plain if name not in telling)
    if len(found) <= 1:
        found.extend(_lists_of_texts(objects, records))
    unique = {pick.name: pick for pick in reversed(found)}
    chosen = [pick for pick in found if unique[pick.name] is pick][:MOST]
    return sorted(chosen, key=lambda pick: plain.index(pick.name) if len(pick.steps) == 1 else len(plain))


def typed_members(records: Sequence[dict[str, Any]]) -> list[Pick]:
    """Pick from objects whose members name their type: of ``{due: {type: "date", date: {start: …}}}`` the start."""
    found: dict[Pick, str] = {}
    for record in records[:SAME]:
        kind = record.get("type")  # the record itself may name its type, as a block of a page does
        if isinstance(kind, str) and kind in record and (steps := _steps_to_text(record[kind])) is not None:
            found[Pick((kind, *steps), bool(steps), kind)] = kind
        for name, inside in islice(record.items(), MOST_TYPED):
            for child, member in islice(inside.items(), MOST_TYPED) if isinstance(inside, dict) else ():
                kind = member.get("type") if isinstance(member, dict) and is_usable(child) else None
                if isinstance(kind, str) and kind in member and (steps := _steps_to_text(member[kind])) is not None:
                    found[Pick((name, child, kind, *steps), kind in _TYPES_OF_TEXT, child)] = kind
    by_name = {pick.name: pick for pick in found}
    kinds = identifying_fields(found.values())
    return sorted(by_name.values(), key=lambda pick: kinds.index(found[pick])) if len(by_name) > 1 else []


def _may_have_typed_members(objects: Objects) -> bool:
    """A quick look: most records have no objects in objects, and no type."""
    if "type" in (objects.fields or ()):
        return True
    inner = [shape.objects for shape in (objects.fields or {}).values() if shape.objects is not None]
    return any(child.objects is not None for found in inner for child in (found.fields or {}).values())


def _steps_to_text(value: Any, levels: int = MOST) -> tuple[str | int, ...] | None:
    """Return the path of the scalar that says most in a value of a type, a text if there is one; ``None`` if empty."""
    if not isinstance(value, (list, dict)):
        return None if value is None else ()
    entries: list[tuple[str | int, Any]] = list(enumerate(value[:1])) if isinstance(value, list) else [*value.items()]
    entries = [(step, inner) for step, inner in entries if step not in _ABOUT and (step == 0 or is_usable(step))]
    for kinds in (str, (list, dict), (int, float)):
        for step, inner in entries if levels else ():
            if isinstance(inner, kinds) and (steps := _steps_to_text(inner, levels - 1)) is not None:
                return (step, *steps)
    return None


def _lists_of_texts(objects: Objects, records: Sequence[dict[str, Any]]) -> Iterator[Pick]:
    """Fields with lists of texts, such as the lines in the cells of a notebook: the first of each."""
    for name, shape in _fields(objects).items():
        items = shape.arrays.items if shape.arrays is not None else None
        if items is None or items.scalars != ["string"] or items.objects or items.arrays:
            continue
        if not (shape.scalars or shape.objects):
            firsts = [record[name][0] for record in records if record.get(name)]
            yield Pick((name, 0), sum(map(len, firsts)) > START * len(firsts), name)


def fitting(rows: Iterable[Iterable[tuple[str, Any]]], most: int, total: int = 0) -> int:
    """Return how many rows of named values a filter may return: fewer if these have ids, dates or other scripts.

    ``total`` is the number of all rows, if it is known.
    """
    first = [list(row) for row in islice(rows, ESTIMATED)]
    written = dump_json(first).decode()
    # a token has more than one character
    if not first or len(written) * min(most, total or most) <= TOKENS * len(first):
        return most
    tokens = estimate_tokens(written, len(written))
    return max(min(most, TOKENS * len(first) // tokens), FEWEST)


def fitting_picks(picked: Sequence[Pick], records: Iterable[dict[str, Any]], most: int, total: int = 0) -> int:
    """Return how many records a filter may return with these fields."""
    names = [pick.name for pick in picked if len(pick.steps) == 1 and not pick.is_long]
    if len(names) == len(picked):  # almost always, and four times as fast
        return fitting(([(name, record.get(name)) for name in names] for record in records), most, total)
    return fitting((picked_values(picked, record) for record in records), most, total)


def picked_values(picked: Sequence[Pick], record: Any) -> list[tuple[str, Any]]:
    """Return the names and values of the picked fields of a record."""
    return [(pick.name, pick.value_in(record)) for pick in picked]


def projection(picked: Sequence[Pick]) -> str:
    """Write the projection of one record: an object of several fields, or the value of a single one."""
    if len(picked) == 1:
        return str(picked[0])
    parents = {pick.steps[:-1] for pick in picked}
    if len(parents) == 1 and parents != {()}:
        (parent,) = parents
        return f"{Pick(parent)} | {projection([pick._replace(steps=pick.steps[-1:]) for pick in picked])}"
    return f"{{{', '.join(map(_entry, picked))}}}"


def _entry(pick: Pick) -> str:
    name = pick.name
    name = name if is_identifier(name) else quote(name)
    return name if len(pick.steps) == 1 and not pick.is_long else f"{name}: {pick}"


def field(name: str, *, first: bool) -> str:
    """Write a field as a path step."""
    if is_identifier(name):
        return f".{name}"
    return f"{'.' if first else ''}[{quote(name)}]"


def is_identifier(name: str) -> bool:
    """Whether a name needs no quotes in a filter."""
    return name.isascii() and name.isidentifier()


def is_usable(name: Any) -> bool:
    """Whether a name is short enough for an example."""
    return isinstance(name, str) and len(name) <= NAME and name.isprintable()


def identifying_fields(names: Iterable[str]) -> list[str]:
    """Order field names: identifying ones first, the others in their order."""
    return sorted(names, key=lambda name: _RANKS.get(name.lower(), len(_RANKS)))


def is_long_text(texts: Iterable[Any]) -> bool:
    """Whether texts are so long on average that their starts are sufficient; other values are ignored."""
    lengths = [len(text) for text in texts if isinstance(text, str)]
    return sum(lengths) > LONG_TEXT * len(lengths)


def _fields(objects: Objects) -> dict[str, Shape]:
    """Fields that all objects have; without a scalar among them, all fields."""
    fields = {name: shape for name, shape in (objects.fields or {}).items() if is_usable(name)}
    everywhere = {name: shape for name, shape in fields.items() if shape.seen == objects.seen}
    return everywhere if any(map(_is_scalar, everywhere.values())) else fields


def _is_scalar(shape: Shape) -> bool:
    return shape.objects is None and shape.arrays is None and shape.scalars != ["null"]


def _differs(name: str, records: Sequence[dict[Any, Any]]) -> bool:
    if len(records) < SAME:
        return True
    first = records[0].get(name)
    return any(record.get(name) != first for record in records)


def _texts(name: str, records: Sequence[dict[Any, Any]]) -> list[str]:
    return [text for record in records if isinstance(text := record.get(name), str)]


def _is_long(shape: Shape, texts: Sequence[str]) -> bool:
    return shape.scalars in _TEXTS and sum(map(len, texts)) > LONG_TEXT * len(texts)


def _is_opaque(texts: Sequence[str]) -> bool:
    """Whether a field has long texts without a space: hashes and URLs, which cost many tokens and say little."""
    return bool(texts) and " " not in texts[0] and sum(map(len, texts)) > OPAQUE * len(texts)


def _are_links(texts: Sequence[str]) -> bool:
    """Whether a field has URLs, which say less than the fields of an object inside."""
    return bool(texts) and "://" in texts[0][:OPAQUE]


def _inside(objects: Objects, records: Sequence[dict[Any, Any]]) -> Iterator[Pick]:
    """Fields of objects inside records: the most informative one of each, then the next ones."""
    by_parent, seen = [], set[str]()
    for name, shape in _fields(objects).items():
        if shape.objects is None or shape.scalars or shape.arrays is not None:
            continue
        inner = [record[name] for record in records if isinstance(record.get(name), dict)]
        is_only = shape.objects.keys.most == 1 and all(map(_TYPE.fullmatch, shape.objects.fields or ()))
        scalars = {child: known for child, known in _fields(shape.objects).items() if _is_scalar(known)}
        # a field that two objects share is picked from the first
        own = [child for child in scalars if _differs(child, inner) and (is_only or child not in seen)]
        seen.update(() if is_only else own)
        by_parent.append(
            [
                Pick((name, child), _is_long(scalars[child], _texts(child, inner)), name if is_only else "")
                for child in identifying_fields(own)
            ]
        )
    turns = zip_longest(*(islice(found, MOST) for found in by_parent))
    return (pick for pick in chain.from_iterable(turns) if pick is not None)
