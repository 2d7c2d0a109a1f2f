"""Bounded previews: what a model sees of a value in place of the value.

The input is JSON-like: dicts, lists (tuples count as lists), strings, numbers, booleans and ``None``. The cost depends
on what is shown and not on the size of the value.
"""

from typing import Any

from coatcheck.explorer.previews.samples import render_whole
from coatcheck.explorer.previews.structure import render_small, render_structure
from coatcheck.explorer.previews.text import render_text
from coatcheck.explorer.previews.wording import NotPlain, Subject
from coatcheck.explorer.texts import SMALL, Opened, is_for_the_sandbox, open_text

__all__ = ["NotPlain", "Subject", "render", "render_small", "render_text", "render_whole"]


def render(value: Any, subject: Subject, limit: int, opened: Opened | None = None) -> str:
    """Preview a value in at most ``limit`` characters, whatever the value.

    Shows type and size, the shape with field names and counts, the first and last members with their paths, what is
    left out, and calls that work on this very object. With little room, the reference stays longest; where not even
    that fits the answer is empty, never a part of it.

    Args:
        value: A JSON-like value.
        subject: Reference, size and origin, for the first line and the calls.
        limit: Characters, 0 or more.
        opened: What a text holds, where the caller has opened it: its structure is shown in place of lines. Texts of
            up to ``SMALL`` characters are opened here where that is harmless.

    Raises:
        NotPlain: The preview met a Python object that has no JSON form of its own.
    """
    if not isinstance(value, str):
        return render_structure(value, subject, limit)
    if opened is None and len(value) <= SMALL and not is_for_the_sandbox(value):
        opened = open_text(value, in_sandbox=False)
    if opened is not None:
        return render_structure(opened.value, subject, limit, text_format=opened.format)
    return render_text(value, subject, limit)
