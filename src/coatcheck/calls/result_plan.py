"""Plans and builds the short result that replaces a large one."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from coatcheck.arguments.output_schemas import STORED
from coatcheck.codec import PART_LEVELS, is_deeper
from coatcheck.codec.characters import MEDIA_LIMIT, block_characters, count_json_characters, is_media, text_of
from coatcheck.codec.tool_results import (
    CONTENT,
    Result,
    ResultSize,
    blocks_of,
    structured_of,
    text_block,
    with_content,
    with_structured,
)
from coatcheck.errors import quoted_name
from coatcheck.explorer.previews.wording import mark_further_lines

SMALL_BLOCK = 500
"""Characters up to which a block stays visible, while all of these together stay within a quarter of the notice."""

MINIMAL_NOTICE = 300
"""Characters of the minimal notice: reference, headline, next calls. A result is stored only if this is at most half
of it: a slightly larger one is cheaper whole than as a preview and a second call."""

MOST_TEXTS_VISIBLE = 8

MOST_LINK_FIELDS, LINK_FIELD = 8, 20
"""Fields of links that are named, and characters of such a name."""
LINKS_TOGETHER = 3
"""Minimum number of consecutive links that are combined into one line."""

ERROR_LIMIT = 2_400
"""Characters of a long error that are shown, from both ends: its middle is mostly a stack trace."""


UNREADABLE = ResultSize(1 << 40, 1 << 40)
"""The size of a result that is nested deeper than clients read: it never passes."""


@dataclass(slots=True)
class Plan:
    """The plan for a large result."""

    original: Result
    size: ResultSize  # its characters
    limit: int  # maximum characters of the notice's text, and again of `structuredContent`
    structured: bool  # whether `structuredContent` is replaced as well
    visible: dict[int, Any] = field(default_factory=dict)  # blocks that are kept, by position
    # Blocks, or rows of links, that become one typed line each: from first position to (end, description, how to view
    # it).
    lines: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    covered: set[int] = field(default_factory=set)  # positions of blocks that the preview covers
    remaining: int = 0  # characters left for the preview besides the kept blocks and the typed lines

    @property
    def needs_preview(self) -> bool:
        """Whether anything is left out that no typed line describes."""
        return bool(self.covered) or self.structured or self.size is UNREADABLE


def plan(result: Result, size: ResultSize, limit: int, *, has_output_schema: bool) -> Plan | None:
    """Decide what is kept, what becomes a line and what the preview covers; ``None`` if nothing would be saved.

    The notice has at most ``limit`` characters, and never more than half of what it replaces.
    """
    half = min(limit, size.larger // 2)
    if half < min(MINIMAL_NOTICE, limit):
        return None
    promised = has_output_schema and not result.get("isError")
    structured = promised if structured_of(result) is None else size.structure > SMALL_BLOCK
    return _sort_blocks(Plan(result, size, half, structured, remaining=half))


def _sort_blocks(result_plan: Plan) -> Plan:
    blocks = blocks_of(result_plan.original)
    # Many texts are usually the items of one list, which the preview shows better than the first few texts.
    single_texts = sum(text_of(block) is not None for block in blocks) <= MOST_TEXTS_VISIBLE
    small, media, end = result_plan.limit // 4, MEDIA_LIMIT, 0
    for position, block in enumerate(blocks):
        if position < end:
            continue
        end = _end_of_links(blocks, position)
        if end - position >= LINKS_TOGETHER and count_json_characters(blocks[position:end], small) > small:
            _add_line(result_plan, position, end, _describe_links(blocks[position:end]))
            continue
        end = position + 1
        if is_media(block):
            media -= len(block["data"])
            fits, characters = media >= 0, 0
        else:
            characters = block_characters(block, SMALL_BLOCK)
            fits = characters <= min(SMALL_BLOCK, small) and (single_texts or text_of(block) is None)
            fits = fits and not is_deeper(block, PART_LEVELS)
        if fits:
            result_plan.visible[position] = block
            result_plan.remaining -= characters
            small -= characters
        elif text_of(block) is not None:
            result_plan.covered.add(position)
        else:
            _add_line(result_plan, position, end, describe(block), _viewing(block))
    return result_plan


def _add_line(result_plan: Plan, position: int, end: int, line: str, viewing: str = "") -> None:
    # Each line ends with a reference and path; if there are too many lines, the preview covers the rest.
    characters = len(line) + len(viewing) + 60
    if result_plan.remaining - characters < result_plan.limit // 2:
        result_plan.covered.update(range(position, end))
    else:
        result_plan.lines[position] = (end, line, viewing)
        result_plan.remaining -= characters


def build(result_plan: Plan, reference: str | None, preview: str) -> Result:
    """Build the short result.

    ``reference`` is ``None`` if it could not be stored, which the preview then explains.
    """
    original = result_plan.original
    content: list[Any] = []
    notice_added = not result_plan.needs_preview and reference is not None
    for position, block in enumerate(blocks_of(original)):
        if position in result_plan.visible:
            content.append(block)
        elif position in result_plan.lines:
            end, line, viewing = result_plan.lines[position]
            kept = f"[{position}]" if end == position + 1 else f"[{position}:{end}]"
            at = "" if reference is None else f" Kept: {reference}.{CONTENT}{kept}"
            content.append(text_block(f"[{line}.{at}{viewing if at else ''}]"))
        elif position in result_plan.covered and not notice_added:
            content.append(_notice(block, preview))
            notice_added = True
    if not notice_added:
        content.append(text_block(preview))
    replacement = with_content(original, content)
    if result_plan.structured:
        return with_structured(
            replacement, stored_marker(reference, preview, result_plan.size.total - result_plan.limit)
        )
    return replacement


def stored_marker(reference: str | None, preview: str, available: int) -> Result:
    """Return the ``structuredContent`` that replaces a stored one; the preview is left out if it does not fit."""
    marker: Result = {} if reference is None else {"reference": reference}
    whole = {STORED: {**marker, "preview": preview}}
    return whole if reference is None or count_json_characters(whole, available) <= available else {STORED: marker}


def error_text(text: str, limit: int, reference: str | None) -> str:
    """Shorten the text of an error to ``limit`` characters, keeping both ends and marking its lines."""
    if len(text) <= limit:
        return text
    where = "it could not be kept" if reference is None else f"the whole is {reference}"
    between = f"\n[… {len(text):,} characters in all; {where} …]\n "
    marked = f" {mark_further_lines(text)}"
    half = max((limit - len(between)) // 2, 0)
    return f"{marked[:half]}{between}{marked[len(marked) - half :]}"


def build_error(result_plan: Plan, reference: str | None, preview: str) -> Result:
    """Build a short error: the shortened text, and the blocks that are not text; see ``build`` for the arguments."""
    text = error_text(all_text(result_plan.original), min(result_plan.remaining, ERROR_LIMIT), reference)
    visible = [block for block in result_plan.visible.values() if text_of(block) is None]
    replacement = with_content(result_plan.original, [text_block(text), *visible])
    return (
        with_structured(replacement, stored_marker(reference, preview, result_plan.limit))
        if result_plan.structured
        else replacement
    )


def all_text(result: Result) -> str:
    """Join the texts of a result."""
    return "\n".join(text for text in map(text_of, blocks_of(result)) if text is not None)


def describe(block: Any) -> str:
    """Describe in one line what a block is: its kind, media type, size and hash."""
    if not isinstance(block, dict):
        return "A block of unknown kind"
    kind = _name(block, "type", "block")
    holder = block.get("resource") if kind == "resource" else block
    holder = holder if isinstance(holder, dict) else {}
    parts = [kind if kind != "resource" else "embedded resource"]
    parts += [quoted_name(holder[key]) for key in ("uri", "name", "mimeType") if isinstance(holder.get(key), str)]
    encoded = holder.get("data", holder.get("blob"))
    if isinstance(encoded, str):
        parts += [f"{_decoded_size(encoded):,} bytes", f"sha256 {_sha256(encoded)}"]
    else:
        parts.append(f"more than {SMALL_BLOCK:,} characters")
    return ", ".join(parts)


def _describe_links(links: list[Any]) -> str:
    """Describe links that follow one another: how many, the first and the last, and what a filter finds in them."""
    first, last = (_name(link, "uri", "without address") for link in (links[0], links[-1]))
    names = ", ".join(quoted_name(name, LINK_FIELD) for name in list(links[0])[:MOST_LINK_FIELDS])
    return f"{len(links):,} resource links, {first} to {last}, each with {names}"


def _end_of_links(blocks: list[Any], start: int) -> int:
    end = start
    while end < len(blocks) and isinstance(blocks[end], dict) and blocks[end].get("type") == "resource_link":
        end += 1
    return end


def _viewing(block: Any) -> str:
    """Describe how a stored image, audio or file can be viewed; ``""`` for other blocks."""
    is_resource = isinstance(block, dict) and block.get("type") == "resource"
    holder, place = (block["resource"], ".resource.blob") if is_resource and "resource" in block else (block, ".data")
    if not isinstance(holder, dict) or not isinstance(holder.get(place.rpartition(".")[2]), str):
        return ""
    return f"{place} in base64: to view it, give that to a tool that shows or saves files."


def _notice(block: Any, preview: str) -> Result:
    notice = text_block(preview)
    if isinstance(block, dict) and isinstance(block.get("annotations"), dict):
        notice["annotations"] = block["annotations"]
    return notice


def _decoded_size(encoded: str) -> int:
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _sha256(encoded: str) -> str:
    """Hash the bytes of a base64 text, or the text itself if it is not base64."""
    import base64
    import binascii

    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = encoded.encode("utf-8", "replace")
    return hashlib.sha256(data).hexdigest()


def has_large_binaries(result: Result) -> bool:
    """Whether describing the result would hash so much that the event loop would be blocked."""
    return any(
        isinstance(holder, dict)
        and isinstance(data := holder.get("data", holder.get("blob")), str)
        and len(data) > MEDIA_LIMIT
        for block in blocks_of(result)
        if isinstance(block, dict)
        for holder in (block, block.get("resource"))
    )


def _name(block: dict[str, Any], key: str, otherwise: str) -> str:
    value = block.get(key)
    return quoted_name(value) if isinstance(value, str) else otherwise
