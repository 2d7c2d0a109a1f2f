"""Bounded previews, which a model reads instead of a value.

The input is JSON-like: dicts, lists (tuples count as lists), strings, numbers, booleans and ``None``. The cost depends
on the length of the preview, not on the size of the value.
"""

from contextlib import suppress
from typing import Any

from coatcheck.codec import dump_json, dump_plain
from coatcheck.codec.tool_results import CONTENT
from coatcheck.errors import ArgumentRejected
from coatcheck.explorer.previews.content_blocks import (
    block_line,
    is_bytes,
    is_encoded,
    is_envelope,
    path_of_block,
    render_blocks,
    render_bytes,
    title_of_blocks,
    title_of_bytes,
)
from coatcheck.explorer.previews.inner_part import FEW, LEVELS, LONG, path_to_long_part, without
from coatcheck.explorer.previews.main_part import at
from coatcheck.explorer.previews.one_line_descriptions import Preview, describe_around, describe_value, title
from coatcheck.explorer.previews.preview_limit import PreviewBudget
from coatcheck.explorer.previews.samples import render_whole, sample
from coatcheck.explorer.previews.structure import render_small, render_structure
from coatcheck.explorer.previews.text import render_text, write_lines
from coatcheck.explorer.previews.token_estimate import estimate_tokens
from coatcheck.explorer.previews.wording import NoJsonForm, Subject, headlines
from coatcheck.explorer.texts import SMALL, Opened, is_for_the_sandbox, open_text
from coatcheck.references import Path

__all__ = [
    "NoJsonForm",
    "Preview",
    "Subject",
    "describe_value",
    "gets_whole",
    "is_for_a_worker",
    "render",
    "render_small",
    "render_text",
    "render_whole",
]


def render(
    value: Any, subject: Subject, limit: int, opened: Opened | None = None, *, in_sandbox: bool = False
) -> Preview:
    """Preview any value in at most ``limit`` characters.

    It shows type and size, the shape with field names and counts, the first and last members with their paths, what is
    left out, and calls that work on this object. With a small limit, the reference is kept longest; if it does not fit,
    the preview is empty.

    ``opened`` is the parsed content of a text, if the caller has parsed it: its structure is shown instead of lines.
    Texts of up to ``SMALL`` characters are parsed here if that is harmless. ``in_sandbox``: this is a worker, in which
    long texts may be scanned.

    Raises:
        NoJsonForm: The value contains a Python object without a JSON form.
    """
    if subject.tokens is None:
        subject = subject._replace(tokens=estimate_tokens(value, subject.characters))
    if not isinstance(value, str):
        if is_bytes(value):
            return Preview(render_bytes(value, subject, limit), lambda: title_of_bytes(value))
        inner = path_to_long_part(value)
        if inner is not None:
            return _render_around(value, inner, subject, limit, in_sandbox=in_sandbox)
        if is_envelope(value) and value[CONTENT]:
            return Preview(render_blocks(value, subject, limit), lambda: title_of_blocks(value[CONTENT]))
        return Preview(render_structure(value, subject, limit), lambda: describe_value(value))
    if opened is None and len(value) <= SMALL and not is_for_the_sandbox(value):
        opened = open_text(value, in_sandbox=False)
    if opened is not None:
        outside = write_lines(opened.other_lines(value))
        text = render_structure(opened.value, subject, limit, text_format=opened.format, outside=outside)
        return Preview(text, lambda: describe_value(opened.value, opened.format))
    return render_text(value, subject, limit, summarised=in_sandbox or len(value) <= SMALL)


def is_for_a_worker(value: Any) -> bool:
    """Whether a preview needs a parser that runs only in the sandbox, for the value or its one long part."""
    if isinstance(value, str):
        return is_for_the_sandbox(value)
    if not isinstance(value, dict) or len(value) > FEW:
        return False
    members = value[CONTENT] if is_envelope(value) else value.values()
    if not any(map(_has_a_long_text, members)):
        return False
    inner = path_to_long_part(value)
    part = None if inner is None else at(value, inner)
    return isinstance(part, str) and is_for_the_sandbox(part)


def _has_a_long_text(member: Any, levels: int = LEVELS) -> bool:
    if isinstance(member, (dict, list)) and levels and len(member) <= FEW:
        inside = member.values() if isinstance(member, dict) else member
        return any(_has_a_long_text(inner, levels - 1) for inner in inside)
    return isinstance(member, str) and len(member) >= LONG


def gets_whole(value: Any, response_limit: int) -> bool:
    """Whether a value is a text that fits whole into an answer of ``response_limit`` characters."""
    return isinstance(value, str) and len(value) <= response_limit and render_whole(value, response_limit) is not None


BESIDE = 500
"""Characters of the members besides the one long part of a value."""
WRITTEN = 300_000
"""Characters of a list or object up to which it is written out for its length."""
LEAST_INSIDE = 500
"""Minimum characters of the preview of that part."""


def _render_around(value: Any, inner: Path, subject: Subject, limit: int, *, in_sandbox: bool) -> Preview:
    """Preview a value that consists mostly of one long part: its other members, and the preview of that part."""
    target = subject.target
    part = at(value, inner)
    blocks = value[CONTENT] if is_envelope(value) else []
    what = title_of_blocks(blocks) if blocks else title(value)
    budget = PreviewBudget(limit)
    budget.put_first("headline", headlines(subject, what))
    rest = without(value, inner)
    encoded = [position for position, block in enumerate(blocks) if is_encoded(block)]
    if encoded:
        others = [block for block in rest[CONTENT] if not is_encoded(block)]
        rest = {} if others == [{"type": "text"}] else {CONTENT: others}
        base = Path() if target is None else target.path
        for position in encoded:
            budget.put("shape", block_line(blocks[position], base.join(path_of_block(position).steps)))
    beside = sample(rest, min(BESIDE, max(budget.remaining - LEAST_INSIDE, 0)))
    if beside is not None and beside.members:
        budget.put("shape", f"Beside {inner}: {beside.text}")
    if budget.remaining < LEAST_INSIDE or not budget.text():
        return Preview(render_structure(value, subject, limit), lambda: describe_value(value))
    name = "" if target is None else str(target.join(inner))
    opened = None
    if in_sandbox and isinstance(part, str):
        with suppress(ArgumentRejected):  # a refused document can still be shown as text
            opened = open_text(part, in_sandbox=True)
    about = Subject(name, _characters(part, value, inner, subject), is_shared=subject.is_shared)
    preview = render(part, about, budget.remaining, opened, in_sandbox=in_sandbox)
    budget.put("samples", preview.text)
    return Preview(budget.text(), lambda: describe_around(what, inner, preview.about))


def _characters(part: Any, value: Any, inner: Path, subject: Subject) -> int:
    if isinstance(part, str):
        return len(part)
    encoded = dump_plain(part, WRITTEN)
    if encoded is None:
        return max(subject.characters - len(dump_json(without(value, inner))), WRITTEN)
    return len(encoded.decode())
