"""Finds the one long part of a value that has little else: a text in an object, a resource next to a sentence."""

from collections.abc import Iterator
from typing import Any

from coatcheck.codec.tool_results import CONTENT
from coatcheck.explorer.previews.content_blocks import TEXT, is_encoded, is_envelope
from coatcheck.explorer.previews.main_part import at
from coatcheck.explorer.previews.samples import render_whole
from coatcheck.references import Index, Key, Path, Step

FEW = 8
"""Maximum members of a value, including its long part."""
SHORT = 300
"""Maximum characters of a member that is not the long part."""
LEVELS = 3
"""Levels of objects and lists with nothing else around a long text."""
LONG = 1_000
"""Minimum characters of the long part."""


def path_to_long_part(value: Any, levels: int = LEVELS) -> Path | None:
    """Return the path to the only long part if it is a text, or in a list a text, a list or an object.

    A list or an object that is the long part of an object is shown by the shape of a preview anyway. Images and files
    in base64 beside the text of a tool result do not count.
    """
    steps: tuple[Step, ...] = ()
    if is_envelope(value):
        steps, value = (Key(CONTENT),), value[CONTENT]
    members = list(_members(value)) if isinstance(value, (list, dict)) and 0 < len(value) <= FEW else []
    long = [
        (step, member)
        for step, member in members
        if not (steps and is_encoded(member)) and render_whole(member, SHORT) is None
    ]
    if len(long) != 1:
        return None
    step, member = long[0]
    inside = tuple(map(Key, TEXT.get(member.get("type", ""), ()))) if steps and isinstance(member, dict) else ()
    for inner in inside:
        member = member.get(inner.name) if isinstance(member, dict) else None
    if isinstance(member, str):
        return Path((*steps, step, *inside)) if len(member) >= LONG else None
    is_block = bool(steps)
    if levels and isinstance(member, (list, dict)) and not is_block:
        deeper = path_to_long_part(member, levels - 1)
        if deeper is not None and isinstance(at(member, deeper), str):
            return Path((*steps, step, *deeper.steps))
    is_item = isinstance(value, list) and isinstance(member, (list, dict)) and not is_block and _is_alone(members)
    return Path((*steps, step)) if is_item and render_whole(member, LONG) is None else None


def _is_alone(members: list[tuple[Step, Any]]) -> bool:
    """Whether exactly one of several items is a list or an object, so that they are not rows."""
    return len(members) > 1 and sum(isinstance(member, (list, dict)) for _, member in members) == 1


def without(value: Any, path: Path) -> Any:
    """Return a value of few members without its long part."""
    step, *rest = path.steps
    if isinstance(step, Key):
        inner = without(value[step.name], Path(tuple(rest))) if rest else None
        return {
            name: inner if name == step.name else member for name, member in value.items() if rest or name != step.name
        }
    assert isinstance(step, Index)  # noqa: S101 - path_to_long_part gives nothing else
    inner = [without(value[step.position], Path(tuple(rest)))] if rest else []
    return [*value[: step.position], *inner, *value[step.position + 1 :]]


def _members(value: list[Any] | dict[str, Any]) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, dict):
        yield from ((Key(name), member) for name, member in value.items())
    else:
        yield from ((Index(position), member) for position, member in enumerate(value))
