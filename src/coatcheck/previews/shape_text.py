"""A shape as text, in the notation of type declarations.

    [5,000 x {id: integer, body? (in 12 of 20): string|null, labels: [0-4 x string]}]
    {<key>: {name: string}} (5,000 keys such as "a", "b"; 20 sampled)

``{…3}`` and ``[…12]`` stand for an object of 3 keys and an array of 12 items that are not described further.
"""

import re
from itertools import islice

from coatcheck.previews.schema import MOST_FIELDS, MOST_LEVELS, Arrays, Objects, Shape, Span
from coatcheck.previews.wording import number, quote

LINE = 100
"""Objects whose description is longer get one line per field."""
NAME = 60
"""Characters of a field's name that are shown."""
_PLAIN_NAME = re.compile(r"[\w$@-]+")
# levels, fields of one object, whether their types are told
_STEPS = (
    (MOST_LEVELS, MOST_FIELDS, True),
    (3, MOST_FIELDS, True),
    (2, MOST_FIELDS, True),
    (1, MOST_FIELDS, True),
    (1, MOST_FIELDS, False),
    (1, 12, False),
    (1, 4, False),
    (0, 0, False),
)


def shape_text(shape: Shape, room: int, *, note_sampling: bool = True) -> str:
    """Write a shape in at most ``room`` characters: with fewer levels, then names alone; ``""`` where nothing fits.

    Args:
        shape: What was seen.
        room: Characters.
        note_sampling: Whether the outermost array tells how many of its items were looked at.
    """
    for levels, fields, types in _STEPS:
        text = _Writing(fields, types=types).write(shape, levels, note_sampling=note_sampling)
        if len(text) <= room:
            return text
    return ""


class _Writing:
    """One way to write a shape: how many fields of an object, and whether with their types."""

    def __init__(self, fields: int, *, types: bool) -> None:
        self.fields = fields
        self.types = types

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
        such = ", ".join(_name(name, quoted=True) for name in objects.examples)
        keys = "key" if objects.keys.most == 1 else "keys"
        # A map is no level of its own either.
        inner = self.write(values, levels if values.objects and not values.objects.values else levels - 1)
        return f"{{<key>: {inner}}} ({_span(objects.keys)} {keys} such as {such}{note})"

    def _record(self, objects: Objects, levels: int) -> str:
        known = objects.fields or {}
        lines = []
        for name, field in islice(known.items(), self.fields):
            line = _name(name)
            if field.present < objects.seen:
                line += f"? (in {field.present} of {objects.seen})" if self.types else "?"
            lines.append(f"{line}: {self.write(field.shape, levels - 1)}" if self.types else line)
        hidden = objects.hidden + len(known) - len(lines)
        if hidden:
            exact = objects.keys.most <= MOST_FIELDS or objects.seen == 1
            lines.append(f"…{'' if exact else 'at least '}{number(hidden)} more")
        one_line = ", ".join(lines)
        if not self.types or (len(one_line) <= LINE and "\n" not in one_line):
            return f"{{{one_line}}}"
        inside = "\n".join(lines).replace("\n", "\n  ")
        return f"{{\n  {inside}\n}}"


def _name(name: str, *, quoted: bool = False) -> str:
    if len(name) > NAME:
        return f'{quote(name[:NAME])[:-1]}…(+{number(len(name) - NAME)} characters)"'
    return name if not quoted and _PLAIN_NAME.fullmatch(name) else quote(name)


def _span(span: Span) -> str:
    return number(span.least) if span.least == span.most else f"{number(span.least)}-{number(span.most)}"
