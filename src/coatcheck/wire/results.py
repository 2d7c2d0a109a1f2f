"""A large tool result and the short one that takes its place."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from coatcheck.errors import excerpt
from coatcheck.wire.measuring import MEDIA_LIMIT, block_characters, content_characters, is_media, text_of, weigh
from coatcheck.wire.schemas import STORED

Result = dict[str, Any]

SMALL_BLOCK = 500
"""Characters up to which a block stays visible, while all of these together stay within a quarter of the notice."""

SHORTEST_NOTICE = 200
"""Characters below which a notice could not say what it must; such a result passes as it is."""

LINKS_TOGETHER = 3
"""Links in a row from which on they become one line."""


@dataclass(slots=True)
class Plan:
    """What is to become of a large result.

    Attributes:
        original: The result as it came.
        limit: Characters that the text of the notice may have; ``structuredContent`` may have as many again.
        visible: Blocks that stay, by position.
        lines: Blocks, or rows of links, that become one typed line each: from first position to (end, description).
        covered: Positions of blocks that the preview covers.
        structured: Whether ``structuredContent`` stands for the result as well.
    """

    original: Result
    limit: int
    visible: dict[int, Any] = field(default_factory=dict)
    lines: dict[int, tuple[int, str]] = field(default_factory=dict)
    covered: list[int] = field(default_factory=list)
    structured: bool = False

    @property
    def needs_preview(self) -> bool:
        """Whether anything is left out that no typed line speaks of."""
        return bool(self.covered) or self.structured

    @property
    def room(self) -> int:
        """Characters left for the preview beside the blocks that stay and the typed lines."""
        shown = content_characters(self.visible.values(), self.limit)
        # A reference with its path stands behind each line.
        return self.limit - shown - sum(len(line) + 60 for _, line in self.lines.values())


def plan(result: Result, limit: int, *, has_output_schema: bool) -> Plan | None:
    """Decide what stays, what becomes a line and what the preview covers; ``None`` where nothing would be gained.

    Args:
        result: A result that is over its limit.
        limit: Most characters of the notice.
        has_output_schema: Whether the tool promised ``structuredContent``.
    """
    blocks = result.get("content")
    blocks = blocks if isinstance(blocks, list) else []
    structured = result.get("structuredContent") is not None or (has_output_schema and not result.get("isError"))
    most = 2 * limit
    size = total_characters(result, most)
    # Never larger than what it replaces, and each of the two places gets its share.
    made = Plan(result, min(limit, size // 2 if structured else size), structured=structured)
    if made.limit < min(SHORTEST_NOTICE, limit):
        return None
    budget, media = made.limit // 4, MEDIA_LIMIT
    position = 0
    while position < len(blocks):
        block = blocks[position]
        end = _end_of_links(blocks, position)
        if end - position >= LINKS_TOGETHER and weigh(blocks[position:end], budget) > budget:
            made.lines[position] = (end, _describe_links(blocks[position:end]))
            position = end
            continue
        if is_media(block):
            media -= len(block["data"])
            fits = media >= 0
        else:
            characters = block_characters(block, SMALL_BLOCK)
            fits = characters <= min(SMALL_BLOCK, budget)
            budget -= characters if fits else 0
        if fits:
            made.visible[position] = block
        elif text_of(block) is not None or made.room < made.limit // 3:
            made.covered.append(position)
        else:
            made.lines[position] = (position + 1, describe(block))
        position += 1
    return made


def build(made: Plan, reference: str | None, preview: str) -> Result:
    """Put the short result together.

    Args:
        made: The plan.
        reference: Where the whole is kept, such as ``@obj_1``; ``None`` where it could not be kept.
        preview: The bounded preview, which in the latter case says so.
    """
    original = made.original
    content: list[Any] = []
    told = not made.needs_preview and reference is not None
    if not made.covered and not told:
        content.append({"type": "text", "text": preview})
        told = True
    for position, block in _in_order(made):
        if position in made.visible:
            content.append(block)
        elif position in made.lines:
            end, line = made.lines[position]
            at = "" if reference is None else f" Kept: {reference}.content{_range(position, end)}"
            content.append({"type": "text", "text": f"[{line}.{at}]"})
        elif not told:
            content.append(_notice(block, preview))
            told = True
    replacement = {**original, "content": content}
    if made.structured:
        left = total_characters(original, 4 * made.limit) - content_characters(content, made.limit)
        replacement["structuredContent"] = stored_marker(reference, preview, left)
    return replacement


def stored_marker(reference: str | None, preview: str, room: int) -> Result:
    """Give the ``structuredContent`` that stands for a stored one; the preview is left out where it would not fit."""
    marker: Result = {} if reference is None else {"reference": reference}
    whole = {STORED: {**marker, "preview": preview}}
    return whole if reference is None or weigh(whole, room) <= room else {STORED: marker}


def error_text(text: str, limit: int, reference: str | None) -> str:
    """Shorten the text of an error to ``limit`` characters with both of its ends."""
    where = "it could not be kept" if reference is None else f"the whole is {reference}"
    between = f"\n[… {len(text):,} characters in all; {where} …]\n"
    half = max((limit - len(between)) // 2, 0)
    return f"{text[:half]}{between}{text[len(text) - half :]}" if len(text) > limit else text


def all_text(result: Result) -> str:
    """Join the texts of a result."""
    blocks = result.get("content")
    texts = [text_of(block) for block in blocks] if isinstance(blocks, list) else []
    return "\n".join(text for text in texts if text is not None)


def total_characters(result: Result, limit: int) -> int:
    """Count content and ``structuredContent`` together, until there are more than ``limit``."""
    blocks = result.get("content")
    characters = content_characters(blocks, limit) if isinstance(blocks, list) else 0
    structured = result.get("structuredContent")
    return characters + (weigh(structured, limit) if structured is not None else 0)


def describe(block: Any) -> str:
    """Say in one line what a block is: its kind, media type, size and hash."""
    if not isinstance(block, dict):
        return "A block of unknown kind"
    kind = excerpt(str(block.get("type", "block")))
    holder = block.get("resource") if kind == "resource" else block
    holder = holder if isinstance(holder, dict) else {}
    parts = [kind if kind != "resource" else "embedded resource"]
    parts += [excerpt(str(holder[key])) for key in ("uri", "name", "mimeType") if key in holder]
    encoded = holder.get("data", holder.get("blob"))
    if isinstance(encoded, str):
        parts += [f"{_decoded_size(encoded):,} bytes", f"sha256 {_sha256(encoded)}"]
    else:
        parts.append(f"more than {SMALL_BLOCK:,} characters")
    return ", ".join(parts)


def _describe_links(links: list[Any]) -> str:
    digest = hashlib.sha256("\n".join(str(link.get("uri")) for link in links).encode("utf-8", "replace")).hexdigest()
    first, last = (excerpt(str(link.get("uri"))) for link in (links[0], links[-1]))
    return f"{len(links):,} resource links, {first} to {last}, sha256 of their addresses {digest}"


def _end_of_links(blocks: list[Any], start: int) -> int:
    end = start
    while end < len(blocks) and isinstance(blocks[end], dict) and blocks[end].get("type") == "resource_link":
        end += 1
    return end


def _range(start: int, end: int) -> str:
    return f"[{start}]" if end == start + 1 else f"[{start}:{end}]"


def _in_order(made: Plan) -> Iterator[tuple[int, Any]]:
    blocks = made.original.get("content")
    return enumerate(blocks) if isinstance(blocks, list) else iter(())


def _notice(block: Any, preview: str) -> Result:
    notice: Result = {"type": "text", "text": preview}
    if isinstance(block, dict) and isinstance(block.get("annotations"), dict):
        notice["annotations"] = block["annotations"]
    return notice


def _decoded_size(encoded: str) -> int:
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _sha256(encoded: str) -> str:
    """Hash the bytes that base64 text stands for, or the text where it is no base64."""
    import base64
    import binascii

    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = encoded.encode("utf-8", "replace")
    return hashlib.sha256(data).hexdigest()
