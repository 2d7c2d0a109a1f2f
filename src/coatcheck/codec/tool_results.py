"""Tool results as they are on the wire, and the value that paths walk in them."""

from dataclasses import dataclass
from typing import Any

from coatcheck.codec.exact_json import parse_exactly

PARSED_AT_ONCE = 256 * 1024
"""Characters of text up to which a result is parsed where it is stored; larger ones are parsed in the sandbox."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A ``CallToolResult`` as a wire dict; storing one keeps all of it."""

    result: dict[str, Any]


def result_value(result: dict[str, Any]) -> Any:
    """Give the smallest JSON that loses nothing of a result.

    A sole text block gives its parsed JSON, or the text. So does ``structuredContent`` that only repeats the text: as
    it is, wrapped as ``{"result": …}`` (with one text block for each item of a list), or as ``{"content": "<text>"}``.
    Several text blocks alone give a list of what each of them holds. Anything else gives
    ``{"content": […], "structured": …}``.
    """
    blocks, texts = _blocks(result)
    structured = result.get("structuredContent")
    if len(texts) == len(blocks):
        if structured is None and len(texts) == 1:
            return parsed_or_text(texts[0])
        for candidate in (_unwrapped(structured), structured):
            if structured is not None and _repeats(texts, candidate):
                return parsed_or_text(candidate) if isinstance(candidate, str) else candidate
    if structured is None:
        if blocks and len(texts) == len(blocks):
            return [parsed_or_text(text) for text in texts]
        return {"content": blocks}
    return {"content": blocks, "structured": structured} if blocks else structured


def result_text(result: dict[str, Any]) -> str | None:
    """Give the text of a result that is one text, as it was; ``None`` where it is several blocks or more than text."""
    blocks, texts = _blocks(result)
    if len(texts) != 1 or len(blocks) != 1:
        return None
    structured = result.get("structuredContent")
    if structured is None or _repeats(texts, _unwrapped(structured)) or _repeats(texts, structured):
        return texts[0]
    return None


def is_large_result(result: dict[str, Any]) -> bool:
    """Whether parsing a result would take long enough to matter to others."""
    _, texts = _blocks(result)
    return sum(map(len, texts)) > PARSED_AT_ONCE


def _blocks(result: dict[str, Any]) -> tuple[list[Any], list[str]]:
    content = result.get("content")
    blocks: list[Any] = content if isinstance(content, list) else []
    return blocks, [block["text"] for block in blocks if _is_plain_text(block)]


_OF_A_TEXT = {"type", "text", "annotations", "_meta"}
"""Keys of a text block: the last two say how to present it, and add nothing to what it says."""


def _is_plain_text(block: Any) -> bool:
    return (
        isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
        and block.keys() <= _OF_A_TEXT
    )


def _unwrapped(structured: Any) -> Any:
    if isinstance(structured, dict) and len(structured) == 1:
        if "result" in structured:
            return structured["result"]
        if isinstance(structured.get("content"), str):
            return structured["content"]
    return structured


def _repeats(texts: list[str], value: Any) -> bool:
    if isinstance(value, str):
        return texts == [value]
    if len(texts) == 1 and _parsed(texts[0]) == value:
        return True
    return (
        isinstance(value, list)
        and len(texts) == len(value)
        and all(item == text or _parsed(text) == item for item, text in zip(value, texts, strict=True))
    )


def parsed_or_text(text: str) -> Any:
    """Give the list or dict that a text spells out as JSON, else the text."""
    parsed = _parsed(text) if text.lstrip()[:1] in {"{", "["} else None
    return parsed if isinstance(parsed, (dict, list)) else text


def _parsed(text: str) -> Any:
    try:
        return parse_exactly(text)
    except ValueError:
        return None
