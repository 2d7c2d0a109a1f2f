"""A shape as text, in the notation of type declarations.

    [5,000 x {id: integer, body? (in 12 of 20): string|null, labels: [0-4 x string]}]
    {<key>: {name: string}} (5,000 keys such as "a", "b"; 20 sampled)

``{…3}`` and ``[…12]`` stand for an object of 3 keys and an array of 12 items that are not described further, ``{a, b}``
for an object of few keys;
neighbouring fields of one type share a line.
"""

import re
from typing import NamedTuple

from coatcheck.explorer.previews.shape import FEW, MOST_FIELDS, MOST_LEVELS, Arrays, Objects, Shape, Span, is_plain_name
from coatcheck.explorer.previews.wording import quote

MOST_COUNTED = 8
"""Number of optional fields shown with a count, and of folded fields with one line each."""
LINE = 100
"""Objects whose description is longer get one line per field."""
NAME = 60
"""Characters of a field's name that are shown."""
_PLAIN_NAME = re.compile(r"[\w$@-]+")


class ShapeFormat(NamedTuple):
    """One way to write a shape."""

    levels: int  # levels of objects that are opened
    fields: int = MOST_FIELDS  # fields of one object
    types: bool = True  # whether fields have their types
    # Fields of an object further inside, named without their types; `None`: as the outer ones.
    inner: int | None = None
    typed: int = 1  # levels of objects whose fields have their types where `inner` is given


_FORMS = (
    ShapeFormat(MOST_LEVELS),
    ShapeFormat(3),
    ShapeFormat(3, inner=12, typed=2),
    ShapeFormat(2),
    ShapeFormat(2, inner=6),
    ShapeFormat(1),
    ShapeFormat(1, types=False),
    ShapeFormat(1, 12, types=False),
    ShapeFormat(1, 4, types=False),
    ShapeFormat(0),
)


def shape_text(shape: Shape, available: int, *, note_sampling: bool = True) -> str:
    """Write a shape in at most ``available`` characters: with fewer levels, then names alone; ``""`` if nothing fits.

    ``note_sampling``: the outermost array states how many of its items were read.
    """
    for form in _FORMS:
        writing = _ShapeWriter(form, available)
        text = writing.write(shape, form.levels, note_sampling=note_sampling)
        if writing.remaining >= 0 and len(text) <= available:
            return text
    return ""


class _ShapeWriter:
    """Writes in one form; ``remaining`` falls with every field and is negative once the text is too long."""

    def __init__(self, form: ShapeFormat, available: int) -> None:
        self.form = form
        self.remaining = available

    def write(self, shape: Shape, levels: int, *, note_sampling: bool = True) -> str:
        if shape.objects is None and shape.arrays is None:
            return "|".join(shape.scalars) or "nothing"
        forms = list(shape.scalars)
        if shape.objects is not None:
            forms.append(self._objects(shape.objects, levels))
        if shape.arrays is not None:
            forms.append(self._arrays(shape.arrays, levels, note_sampling=note_sampling))
        return "|".join(forms)

    def _arrays(self, arrays: Arrays, levels: int, *, note_sampling: bool) -> str:
        length = _span(arrays.lengths)
        if arrays.lengths.most == 0:
            return "[]"
        if arrays.items is None or levels == 0:
            return f"[…{length}]"
        note = "" if arrays.complete or not note_sampling else f" ({arrays.looked_at:,} sampled)"
        # An array of objects is not a separate level: its items are shown.
        return f"[{length}{note} x {self.write(arrays.items, levels if arrays.items.objects else levels - 1)}]"

    def _objects(self, objects: Objects, levels: int) -> str:
        if objects.keys.most == 0:
            return "{}"
        if levels == 0 or (objects.fields is None and objects.values is None):
            return _folded(objects)
        if objects.values is not None:
            return self._map(objects, objects.values, levels)
        return self._record(objects, levels)

    def _map(self, objects: Objects, values: Shape, levels: int) -> str:
        note = "" if objects.complete else f"; {objects.looked_at:,} sampled"
        such = ", ".join(field_name(name, quoted=True) for name in objects.examples)
        keys = "key" if objects.keys.most == 1 else "keys"
        # A map is not a separate level either.
        inner = self.write(values, levels if values.objects and not values.objects.values else levels - 1)
        return f"{{<key>: {inner}}} ({_span(objects.keys)} {keys} such as {such}{note})"

    def _record(self, objects: Objects, levels: int) -> str:
        known = objects.fields or {}
        is_inner = self.form.inner is not None and self.form.levels - levels >= self.form.typed
        most = self.form.inner if is_inner and self.form.inner is not None else self.form.fields
        types = self.form.types and not is_inner
        members = list(known.items())
        nothing = sum(map(_is_nothing, members)) if len(members) > MOST_COUNTED else 0
        if nothing > MOST_COUNTED or len(members) > most:
            members.sort(key=_is_nothing)
            if nothing > MOST_COUNTED:  # a few of their names do for all
                del members[len(members) - nothing + FEW :]
        is_sparse = len(members) > MOST_COUNTED and sum(m.seen < objects.seen for _, m in members) > MOST_COUNTED
        inside = levels - (objects.seen > 1 or len(members) > FEW or levels < self.form.levels - FEW)
        lines: list[tuple[str, str]] = []
        for name, member in members[:most]:
            if self.remaining < 0:
                break
            line = field_name(name)
            self.remaining -= len(line) + 2
            if member.seen < objects.seen:
                line += f"? (in {member.seen} of {objects.seen})" if types and not is_sparse else "?"
            lines.append((line, self.write(member, inside) if types else ""))
        hidden = objects.hidden + len(known) - len(lines)
        if hidden:
            exact = objects.keys.most <= MOST_FIELDS or objects.seen == 1
            lines.append((f"…{'' if exact else 'at least '}{hidden:,} more", ""))
        are_folded = len(lines) > MOST_COUNTED and all(kind[:2] in {"{…", "[…"} for _, kind in lines if kind)
        if are_folded:  # their names are what there is to tell
            lines = [(line, "") for line, _ in lines]
        return _layout(lines, one_line=not types or are_folded)


def _folded(objects: Objects) -> str:
    names = [f"{name}?" if found.seen < objects.seen else name for name, found in (objects.fields or {}).items()]
    if not 0 < len(names) <= FEW or objects.hidden or not all(map(is_plain_name, objects.fields or ())):
        names = list(objects.names)
    return f"{{{', '.join(names)}}}" if names else f"{{…{_span(objects.keys)}}}"


def _is_nothing(known: tuple[str, Shape]) -> bool:
    """Whether a field was null in all sampled objects."""
    shape = known[1]
    return shape.objects is None and shape.arrays is None and shape.scalars == ["null"]


def _layout(fields: list[tuple[str, str]], *, one_line: bool) -> str:
    """Write names and types on one line, or on one line each; then neighbours of one scalar type share a line."""
    pieces = [f"{name}: {kind}" if kind else name for name, kind in fields]
    text = ", ".join(pieces)
    if one_line or (len(text) <= LINE and "\n" not in text):
        return f"{{{text}}}"
    lines: list[str] = []
    last = ""
    for (name, kind), piece in zip(fields, pieces, strict=True):
        if kind and kind == last and " (" not in name and len(lines[-1]) + len(name) < LINE:
            lines[-1] = f"{lines[-1].removesuffix(f': {kind}')}, {piece}"
        else:
            lines.append(piece)
        last = kind if kind.isalpha() and " (" not in name else ""
    inside = "\n".join(lines).replace("\n", "\n  ")
    return f"{{\n  {inside}\n}}"


def field_name(name: str, *, quoted: bool = False) -> str:
    """Write the name of a field, as JSON where it is more than one plain word or ``quoted`` is asked for."""
    if len(name) > NAME:
        return f'{quote(name[:NAME])[:-1]}…(+{len(name) - NAME:,} characters)"'
    is_plain = (name.isascii() and name.isidentifier()) or _PLAIN_NAME.fullmatch(name)
    return name if is_plain and not quoted else quote(name)


def _span(span: Span) -> str:
    return f"{span.least:,}" if span.least == span.most else f"{span.least:,}-{span.most:,}"
