"""A value's full text, where it is short."""

from typing import Any

from coatcheck.codec import dump_json, dump_plain
from coatcheck.previews.wording import NotPlain, kind_of

ONE_LINE = 100
"""Characters of JSON that are read well enough in one line."""

MOST_LEVELS = 200
"""Levels of nesting beyond which a value is not shown whole: no reader follows, and no decoder either."""


def render_whole(value: Any, limit: int) -> str | None:
    """Give a value's full text if it has at most ``limit`` characters, else ``None``.

    A text is given as it is; all else as JSON: in one line where that is short, else with a line for each member of
    the outermost list or object, where that fits. Indentation would cost a model tokens and tell it nothing more. The
    cost depends on the limit and not on the value's size.

    Raises:
        NotPlain: The value holds a Python object that has no JSON form of its own.
    """
    if isinstance(value, str):
        return str.__str__(value) if len(value) <= limit else None
    text = _compact(value, limit)
    if text is None:
        return None
    return (_in_lines(value, limit) or text) if len(text) > ONE_LINE else text


def render_line(value: Any, limit: int) -> str | None:
    """Give a value as one printable line of JSON if that has at most ``limit`` characters, else ``None``.

    Raises:
        NotPlain: The value holds a Python object that has no JSON form of its own.
    """
    text = _compact(value, limit)
    # A lone surrogate makes the encoder escape all of its text; whoever needs that is better off with another form.
    return text if text is not None and text.isprintable() and "\\ud" not in text else None


def _compact(value: Any, limit: int) -> str | None:
    encoded = dump_plain(value, limit)
    if encoded is None:
        if _weigh(value, limit) > limit:
            return None
        encoded = dump_json(value)
    text = encoded.decode()
    return text if len(text) <= limit else None


def _in_lines(value: Any, limit: int) -> str | None:
    """Write each member of a list or object in a line of its own, where that helps and fits."""
    if isinstance(value, dict):
        members = [dump_json({name: member})[1:-1] for name, member in value.items()]
        brackets = "{}"
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        members = [dump_json(item) for item in value]
        brackets = "[]"
    else:
        return None
    text = "\n".join((brackets[0], b",\n".join(members).decode(), brackets[1]))
    return text if len(text) <= limit else None


def _weigh(value: Any, limit: int) -> int:
    """Give a lower bound of a value's length as compact JSON; stops once it is over the limit."""
    compact = 0
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        if compact > limit:
            break
        item, level = pending.pop()
        if isinstance(item, str):
            compact += len(item) + 2
        elif isinstance(item, dict):
            compact += 2 * len(item) + 1 + (not item)
            if level >= MOST_LEVELS or compact > limit:
                return limit + 1
            if item and set(map(type, item)) != {str}:
                _refuse_odd_keys(item)
            compact += 2 * len(item) + sum(map(len, item))
            pending.extend((member, level + 1) for member in item.values())
        elif isinstance(item, (list, tuple)):
            compact += len(item) + 1 + (not item)
            if level >= MOST_LEVELS or compact > limit:
                return limit + 1
            pending.extend((member, level + 1) for member in item)
        else:
            kind_of(type(item))
            compact += max(int(item.bit_length() * 0.3), 1) if isinstance(item, int) else 3
    return compact


def _refuse_odd_keys(item: dict[Any, Any]) -> None:
    for name in item:
        if not isinstance(name, str):
            raise NotPlain(type(name))
