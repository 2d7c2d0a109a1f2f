"""A value's full text, where it is short."""

from typing import Any

from coatcheck.previews.wording import NotPlain, kind_of

MOST_LEVELS = 200
"""Levels of nesting beyond which a value is not shown whole: no reader follows, and no decoder either."""


def render_whole(value: Any, limit: int) -> str | None:
    """Give a value's full text if it has at most ``limit`` characters, else ``None``.

    A text is given as it is; all else as JSON, indented where that fits, else compact. The cost depends on the limit
    and not on the value's size.

    Raises:
        NotPlain: The value holds a Python object that has no JSON form of its own.
    """
    from coatcheck.codec import dump_json, pretty_json

    if isinstance(value, str):
        return str.__str__(value) if len(value) <= limit else None
    compact, indented = _weigh(value, limit)
    if compact > limit:
        return None
    if indented <= limit:
        text = _encodable(pretty_json, value)
        if text is not None and len(text) <= limit:
            return text
    text = dump_json(value).decode()
    return text if len(text) <= limit else None


def _encodable(write: Any, value: Any) -> str | None:
    try:
        text: str = write(value)
        text.encode()
    except ValueError:
        return None  # an integer or a text that only the compact form can hold
    return text


def _weigh(value: Any, limit: int) -> tuple[int, int]:
    """Give lower bounds of a value's length as compact and as indented JSON; stops once the first is over the limit."""
    compact = indented = 0
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
                return limit + 1, indented
            indented += len(item) * (2 * level + 4) + 2 * level if item else 0
            for name in item:
                if not isinstance(name, str):
                    raise NotPlain(type(name))
                compact += len(name) + 2
            pending.extend((member, level + 1) for member in item.values())
        elif isinstance(item, (list, tuple)):
            compact += len(item) + 1 + (not item)
            if level >= MOST_LEVELS or compact > limit:
                return limit + 1, indented
            indented += len(item) * (2 * level + 3) + 2 * level if item else 0
            pending.extend((member, level + 1) for member in item)
        else:
            kind_of(type(item))
            compact += max(int(item.bit_length() * 0.3), 1) if isinstance(item, int) else 3
    return compact, compact + indented
