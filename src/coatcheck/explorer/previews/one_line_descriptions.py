"""Describes a value on one line of a listing: type, length, format, names of fields.

Words of the value are in braces or brackets, and quoted unless they are one plain word.
"""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

from coatcheck.codec.envelope import MAX_ABOUT_CHARACTERS
from coatcheck.explorer.previews.shape_text import field_name
from coatcheck.explorer.previews.wording import kind_and_length, kind_of, quote
from coatcheck.references import Path

MOST_NAMES = 20
WORTH_COUNTING = 10
"""Minimum members of a field's list or object for which they are counted."""
START = 40
"""Characters of the start of a text."""


class Preview(NamedTuple):
    """A preview with a short description."""

    text: str  # the preview
    describe: Callable[[], str]  # returns the description, which is used only for objects that are being stored

    @property
    def about(self) -> str:
        """The description: at most ``MAX_ABOUT_CHARACTERS`` characters on one line."""
        return self.describe()


def title(value: Any) -> str:
    """Name a value's type and length."""
    if isinstance(value, dict):
        return kind_and_length("object", len(value))
    if isinstance(value, (list, tuple)):
        return kind_and_length("array", len(value))
    return kind_of(type(value))


def describe_value(value: Any, text_format: str = "") -> str:
    """Name a value's type and length, its text format, and its fields or those of its first item."""
    lead = f"{title(value)} in {text_format}" if text_format else title(value)
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    return (
        with_words(lead, "{}", (_member(*item) for item in islice(first.items(), MOST_NAMES)))
        if isinstance(first, dict)
        else lead
    )


def describe_text(lead: str, form: str, counts: str, start: str) -> str:
    """Name a text's length, its format, and its counts or else its start."""
    words = counts or (_quoted(start) if start.strip() else "")
    return with_words(lead, "()", [": ".join(filter(None, (form, words)))])


def describe_around(lead: str, path: Path, inner: str) -> str:
    """Name a value that consists mostly of the part at ``path``, whose description is ``inner``."""
    forms = (f"{lead}, {path}: {inner}", f"{lead}, {path}: {shorten(inner)}", lead)
    return next(form for form in forms if len(form) <= MAX_ABOUT_CHARACTERS or form is lead)


def shorten(about: str) -> str:
    """Remove the enclosed words, such as the names of fields."""
    return re.split(r" [({]", about, maxsplit=1)[0]


def with_words(lead: str, marks: str, parts: Iterable[str]) -> str:
    """Write ``lead {part, part, …}`` with as many parts as fit, or only the lead."""
    available = MAX_ABOUT_CHARACTERS - len(lead) - 4
    written: list[str] = []
    for part in parts:
        if not part:
            continue
        available -= len(part) + 2
        if available < 0:
            written += ["…"] if written else []
            break
        written.append(part)
    return f"{lead} {marks[0]}{', '.join(written)}{marks[1]}" if written else lead


def _member(name: Any, value: Any) -> str:
    if not isinstance(name, str):
        return ""
    if not isinstance(value, (dict, list, tuple)) or len(value) < WORTH_COUNTING:
        return field_name(name)
    marks = "{}" if isinstance(value, dict) else "[]"
    return f"{field_name(name)}: {marks[0]}…{len(value):,}{marks[1]}"


def _quoted(start: str) -> str:
    line = start.lstrip().partition("\n")[0].rstrip()
    return quote(line) if len(line) <= START else f'{quote(line[:START])[:-1]}…"'
