"""Tool results: the only module that depends on their wire format and defines their value for paths.

To support another form of results, as drafts of the protocol propose, change only this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coatcheck.codec.characters import content_characters, count_json_characters, text_of, well_formed
from coatcheck.codec.exact_json import parse_exactly

PARSED_AT_ONCE = 256 * 1024
"""Characters of text up to which a result is parsed when it is stored; larger ones are parsed in the sandbox."""


CONTENT = "content"
"""The member of the content blocks, on the wire and in the value for paths."""

STRUCTURED = "structured"
"""The member of the structured content in that value, if it differs from the blocks."""

_STRUCTURED = "structuredContent"

Result = dict[str, Any]
"""A ``CallToolResult`` as a wire dict."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A ``CallToolResult`` as a wire dict; storing one keeps all of it."""

    result: dict[str, Any]


# Reading and writing


def blocks_of(result: Mapping[str, Any]) -> list[Any]:
    """Return the content blocks of a result."""
    blocks = result.get(CONTENT)
    return blocks if isinstance(blocks, list) else []


def structured_of(result: Mapping[str, Any]) -> Any:
    """Return the structured content of a result; ``None`` if it has none."""
    return result.get(_STRUCTURED)


def with_content(result: Result, blocks: list[Any]) -> Result:
    """Return a result with other content blocks."""
    return {**result, CONTENT: blocks}


def with_structured(result: Result, value: Any) -> Result:
    """Return a result with other structured content."""
    return {**result, _STRUCTURED: value}


def with_meta(result: Result, key: str, value: Any) -> Result:
    """Return a result with one more member of its ``_meta``."""
    meta = result.get("_meta")
    return {**result, "_meta": {**(meta if isinstance(meta, dict) else {}), key: value}}


def text_block(text: str) -> dict[str, Any]:
    """Return the content block of a text."""
    return {"type": "text", "text": text}


def text_result(text: str, *, is_error: bool = False) -> Result:
    """Return a result of one text."""
    return {CONTENT: [text_block(well_formed(text))], "isError": is_error}


def wire_result(content: list[Any], structured: Any, meta: Any, *, is_error: bool) -> Result:
    """Build a wire result from parts; ``None`` for a missing part."""
    result: Result = {CONTENT: content, "isError": is_error}
    if structured is not None:
        result = with_structured(result, structured)
    return result if meta is None else {**result, "_meta": meta}


def is_finished(result: Any) -> bool:
    """Whether this is a tool result that a model may read, not a request for input and not a task."""
    if not isinstance(result, dict):
        return False
    content, structured = result.get(CONTENT), structured_of(result)
    if result.get("resultType", "complete") != "complete":  # older clients do not know this member
        return bool(blocks_of(result)) or structured is not None
    return isinstance(content, list) or (content is None and structured is not None)


# Its value


def result_value(result: dict[str, Any]) -> Any:
    """Return the value of a result: the smallest lossless JSON.

    A single text block becomes its parsed JSON, or the text. So does ``structuredContent`` that only repeats the text:
    directly, as ``{"result": …}`` (with one text block for each item of a list), or as ``{"content": "<text>"}``.
    Several text blocks become a list of their contents. Anything else becomes ``{"content": […], "structured": …}``.
    """
    blocks, texts = _blocks(result)
    structured = structured_of(result)
    if len(texts) == len(blocks):
        if structured is None and len(texts) == 1:
            return parsed_or_text(texts[0])
        for candidate in (_unwrapped(structured), structured):
            if structured is not None and _repeats(texts, candidate):
                return parsed_or_text(candidate) if isinstance(candidate, str) else candidate
    if structured is None:
        if blocks and len(texts) == len(blocks):
            return [parsed_or_text(text) for text in texts]
        return {CONTENT: blocks}
    return {CONTENT: blocks, STRUCTURED: structured} if blocks else structured


def result_text(result: dict[str, Any]) -> str | None:
    """Return the original text of a result that is one text; ``None`` for several blocks or other content."""
    blocks, texts = _blocks(result)
    if len(texts) != 1 or len(blocks) != 1:
        return None
    structured = structured_of(result)
    if structured is None or _repeats(texts, _unwrapped(structured)) or _repeats(texts, structured):
        return texts[0]
    return None


def is_large_result(result: dict[str, Any]) -> bool:
    """Whether parsing a result would block the event loop noticeably."""
    _, texts = _blocks(result)
    return sum(map(len, texts)) > PARSED_AT_ONCE


def _blocks(result: dict[str, Any]) -> tuple[list[Any], list[str]]:
    blocks = blocks_of(result)
    return blocks, [block["text"] for block in blocks if _is_plain_text(block)]


_OF_A_TEXT = {"type", "text", "annotations", "_meta"}
"""Keys of a text block: the last two concern its presentation, not its content."""


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
        if isinstance(structured.get(CONTENT), str):
            return structured[CONTENT]
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
    """Return the list or dict of a JSON text, else the text."""
    parsed = _parsed(text) if text.lstrip()[:1] in {"{", "["} else None
    return parsed if isinstance(parsed, (dict, list)) else text


def _parsed(text: str) -> Any:
    try:
        return parse_exactly(text)
    except ValueError:
        return None


# Its size

LEAST_TEXT = 10
"""Texts beside ``structuredContent`` that are at least one part in so many of a result usually repeat it."""


def seen_texts(result: dict[str, Any], stored: int) -> list[str]:
    """Return the texts of a result that is read as them; none if it has other content, or hardly any text.

    ``stored`` are the characters of all of it as JSON. Usually the texts repeat ``structuredContent``, and a host shows
    one of them; comparing them would block the event loop.
    """
    texts = [text for block in blocks_of(result) if (text := text_of(block)) is not None]
    if len(texts) < len(blocks_of(result)):
        return []
    return texts if structured_of(result) is None or sum(map(len, texts)) >= stored // LEAST_TEXT else []


def seen_characters(result: dict[str, Any], stored: int) -> int:
    """Estimate the characters of a whole result that a model would have read, without traversing it.

    ``stored`` are the characters of all of it as JSON, or of its text if it has nothing else.
    """
    texts = sum(len(text_of(block) or "") for block in blocks_of(result))
    if structured_of(result) is None:
        return texts or stored
    # A host shows one of the two.
    return texts if texts >= stored // LEAST_TEXT else stored - texts


@dataclass(frozen=True, slots=True)
class ResultSize:
    """The size of a tool result in characters, counted once, up to a bound.

    Content and ``structuredContent`` are counted separately: they repeat each other, and a host shows one of them.
    """

    text: int  # the characters of the content blocks that a model reads
    structure: int = 0  # `structuredContent` as compact JSON; 0 without one

    @property
    def larger(self) -> int:
        """The larger of the two, which a model may read."""
        return max(self.text, self.structure)

    @property
    def total(self) -> int:
        """Both together."""
        return self.text + self.structure


def measure_result(result: dict[str, Any], most: int) -> ResultSize:
    """Count the characters of a result; each of its two parts until there are more than ``most``."""
    structured = structured_of(result)
    return ResultSize(
        content_characters(blocks_of(result), most),
        0 if structured is None else count_json_characters(structured, most),
    )
