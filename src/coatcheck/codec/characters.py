"""Counts the characters of content blocks that a model reads, up to a limit; replaces lone surrogates in text."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

MEDIA_LIMIT = 1_000_000
"""Characters of base64 up to which images and audio of a result pass: a model sees the image, not its encoding."""

REPLACEMENT = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")

_DIGITS_PER_BIT = 0.30103
_MEDIA = ("image", "audio")  # not a set: the type in a server's block need not be hashable


def well_formed(text: str) -> str:
    """Return a text with ``U+FFFD`` in place of lone surrogates, which UTF-8 and strict JSON parsers refuse.

    They come from programs that split characters.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        # Adjacent surrogates of a pair, from two escapes, are one character.
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return _SURROGATE.sub(REPLACEMENT, joined)
    return text


def count_json_characters(value: Any, limit: int) -> int:
    """Count the characters of a value as compact JSON, before escapes, and stop once there are more than ``limit``.

    The cost depends on ``limit``, not on the value.
    """
    total = 0
    waiting: list[Iterator[Any]] = [iter((value,))]
    while waiting:
        for part in waiting[-1]:
            if isinstance(part, str):
                total += len(part) + 3
            elif isinstance(part, (dict, list, tuple)):
                # Brackets and the comma after them, minus the comma after the last member, if there is one.
                total += 2 if part else 3
                waiting.append(_members(part) if isinstance(part, dict) else iter(part))
                break
            else:
                total += _scalar(part) + 1
            if total > limit + 1:
                return total - 1
        else:
            waiting.pop()
    return max(total - 1, 0)


def _members(mapping: dict[Any, Any]) -> Iterator[Any]:
    for key, value in mapping.items():
        yield str(key)
        yield value


def _scalar(part: Any) -> int:
    if part is None or isinstance(part, bool):
        return 5 if part is False else 4
    if isinstance(part, int):
        return int(part.bit_length() * _DIGITS_PER_BIT) + 1
    return len(repr(part))


def content_characters(blocks: Iterable[Any], limit: int) -> int:
    """Count the characters of content blocks that a model reads; media count only beyond ``MEDIA_LIMIT``."""
    total = media = 0
    for block in blocks:
        if is_media(block):
            media += len(block["data"])
            if media > MEDIA_LIMIT:
                total += len(block["data"])
        else:
            total += block_characters(block, limit - total)
        if total > limit:
            break
    return total


def block_characters(block: Any, limit: int) -> int:
    """Count the characters of a block that is neither an image nor audio."""
    text = text_of(block)
    return count_json_characters(block, limit) if text is None else len(text)


def text_of(block: Any) -> str | None:
    """Return the text of a text block or of an embedded text, or ``None``."""
    if not isinstance(block, dict):
        return None
    holder = (
        block.get("resource") if block.get("type") == "resource" else block if block.get("type") == "text" else None
    )
    text = holder.get("text") if isinstance(holder, dict) else None
    return text if isinstance(text, str) else None


def is_media(block: Any) -> bool:
    """Whether a block is an image or audio."""
    return isinstance(block, dict) and block.get("type") in _MEDIA and isinstance(block.get("data"), str)
