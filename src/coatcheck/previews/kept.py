"""A value that was just kept: its reference, and all of it where it is small."""

from typing import Any

from coatcheck.errors import counted
from coatcheck.previews.structure import title
from coatcheck.previews.subject import Subject
from coatcheck.previews.whole import render_whole


def render_small(value: Any, subject: Subject, limit: int) -> str | None:
    """Give a line with the reference and the value's full text, or ``None`` where both do not fit in ``limit``.

    Raises:
        NotPlain: The value holds a Python object that has no JSON form of its own.
    """
    what = f"text of {counted(len(value), 'character')}" if isinstance(value, str) else title(value)
    headline = f"{subject.reference}: {what}\n"
    whole = render_whole(value, limit - len(headline))
    return None if whole is None else headline + whole
