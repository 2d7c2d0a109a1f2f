"""A shape as text, in the notation of type declarations.

    [5,000 × {id: integer, body? (in 12 of 20): string|null, labels: [0-4 × string]}]
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
_STEPS = ((MOST_LEVELS, MOST_FIELDS), (3, MOST_FIELDS), (2, MOST_FIELDS), (1, MOST_FIELDS), (1, 16), (1, 6), (0, 0))


def shape_text(shape: Shape, room: int, *, note_sampling: bool = True) -> str:
    """Write a shape in at most ``room`` characters: with fewer levels, then fewer fields; ``""`` where nothing fits.

    Args:
        shape: What was seen.
        room: Characters.
        note_sampling: Whether the outermost array tells how many of its items were looked at.
    """
    for levels, fields in _STEPS:
        text = _write(shape, levels, fields, note_sampling=note_sampling)
        if len(text) <= room:
            return text
    return ""


def _write(shape: Shape, levels: int, fields: int, *, note_sampling: bool = True) -> str:
    forms = list(shape.scalars)
    if shape.objects is not None:
        forms.append(_objects(shape.objects, levels, fields))
    if shape.arrays is not None:
        forms.append(_arrays(shape.arrays, levels, fields, note_sampling=note_sampling))
    return "|".join(forms) or "nothing"


def _arrays(arrays: Arrays, levels: int, fields: int, *, note_sampling: bool) -> str:
    length = _span(arrays.lengths)
    if arrays.lengths.most == 0:
        return "[]"
    if arrays.items is None or levels == 0:
        return f"[…{length}]"
    note = "" if arrays.complete or not note_sampling else f" ({number(arrays.looked_at)} sampled)"
    # An array is no level of its own: its items are what one wants to see.
    return f"[{length}{note} × {_write(arrays.items, levels if arrays.items.objects else levels - 1, fields)}]"


def _objects(objects: Objects, levels: int, fields: int) -> str:
    if objects.keys.most == 0:
        return "{}"
    if levels == 0 or (objects.fields is None and objects.values is None):
        return f"{{…{_span(objects.keys)}}}"
    if objects.values is not None:
        note = "" if objects.complete else f"; {number(objects.looked_at)} sampled"
        such = ", ".join(_name(name, quoted=True) for name in objects.examples)
        keys = "key" if objects.keys.most == 1 else "keys"
        inner = _write(objects.values, levels - 1, fields)
        return f"{{<key>: {inner}}} ({_span(objects.keys)} {keys} such as {such}{note})"
    return _record(objects, levels, fields)


def _record(objects: Objects, levels: int, most: int) -> str:
    known = objects.fields or {}
    lines = []
    for name, field in islice(known.items(), most):
        optional = "" if field.present == objects.seen else f"? (in {field.present} of {objects.seen})"
        lines.append(f"{_name(name)}{optional}: {_write(field.shape, levels - 1, most)}")
    hidden = objects.hidden + len(known) - len(lines)
    if hidden:
        exact = objects.keys.most <= MOST_FIELDS or objects.seen == 1
        lines.append(f"…{'' if exact else 'at least '}{number(hidden)} more")
    if sum(map(len, lines)) + 2 * len(lines) <= LINE and not any("\n" in line for line in lines):
        return f"{{{', '.join(lines)}}}"
    inside = "\n".join(lines).replace("\n", "\n  ")
    return f"{{\n  {inside}\n}}"


def _name(name: str, *, quoted: bool = False) -> str:
    if len(name) > NAME:
        return f'{quote(name[:NAME])[:-1]}…(+{number(len(name) - NAME)} characters)"'
    return name if not quoted and _PLAIN_NAME.fullmatch(name) else quote(name)


def _span(span: Span) -> str:
    return number(span.least) if span.least == span.most else f"{number(span.least)}-{number(span.most)}"
