"""Bounded previews: what a model sees of a value in place of the value.

The input is JSON-like: dicts, lists (tuples count as lists), strings, numbers, booleans and ``None``. The cost depends
on what is shown and not on the size of the value.
"""

from typing import Any

from coatcheck.explorer.previews.samples import render_whole
from coatcheck.explorer.previews.structure import render_small, render_structure
from coatcheck.explorer.previews.text import render_text
from coatcheck.explorer.previews.wording import NotPlain, Subject

__all__ = ["OPENED_BY_ITSELF", "NotPlain", "Subject", "render", "render_small", "render_whole"]

OPENED_BY_ITSELF = 65_536
"""Characters up to which a text is tried as JSON; of longer ones the caller gives what they hold, if it knows."""


def render(value: Any, subject: Subject, limit: int, opened: Any = None) -> str:
    """Preview a value in at most ``limit`` characters, whatever the value.

    Shows type and size, the shape with field names and counts, the first and last members with their paths, what is
    left out, and calls that work on this very object. With little room, the reference stays longest; where not even
    that fits the answer is empty, never a part of it.

    Args:
        value: A JSON-like value.
        subject: Reference, size and origin, for the first line and the calls.
        limit: Characters, 0 or more.
        opened: What a text holds as JSON, where the caller has decoded it: its structure is shown in place of lines.

    Raises:
        NotPlain: The preview met a Python object that has no JSON form of its own.
    """
    if not isinstance(value, str):
        return render_structure(value, subject, limit)
    if opened is None and len(value) <= OPENED_BY_ITSELF:
        from coatcheck.codec import open_json_text

        opened = open_json_text(value)
    if isinstance(opened, (dict, list)):
        return render_structure(opened, subject, limit, text=value)
    return render_text(value, subject, limit)
