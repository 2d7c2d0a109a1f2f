"""Decodes stored bytes."""

import json
import re
from typing import Any

from coatcheck.codec.envelope import Metadata
from coatcheck.codec.exact_json import load_exactly, load_json, parse_exactly
from coatcheck.codec.tool_results import result_value
from coatcheck.errors import ObjectUnreadable


def decode(metadata: Metadata, payload: bytes | memoryview) -> Any:
    """Return the value of a payload; for a tool result, the smallest lossless JSON.

    Raises:
        ObjectUnreadable: The payload does not match its metadata.
    """
    try:
        if metadata.kind == "text":
            return str(payload, "utf-8")
        value = load_exactly(payload) if metadata.careful else load_json(payload)
        return value if metadata.kind == "json" else result_value(_as_result(value))
    except ValueError as error:
        raise ObjectUnreadable from error


_TEXT_BLOCK = re.compile(r'"text":\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
"""The text of a block, in JSON that may be truncated."""


def start_of_text(metadata: Metadata, start: bytes) -> str:
    """Return the start of a stored text; ``""`` if the first bytes of its payload do not contain it."""
    written = start.decode("utf-8", "ignore")
    if metadata.kind == "text":
        return written
    found = _TEXT_BLOCK.search(written) if metadata.kind == "result" else None
    try:
        return str(json.loads(f'"{found[1]}"', strict=False)) if found else ""
    except ValueError:  # other writers to the store may have stored anything there
        return ""


def decode_result(metadata: Metadata, payload: bytes | memoryview) -> dict[str, Any] | None:
    """Return a tool result exactly as it was on the wire, or ``None`` if the object is not a tool result.

    Raises:
        ObjectUnreadable: The payload does not match its metadata.
    """
    if metadata.kind != "result":
        return None
    try:
        return _as_result(load_exactly(payload) if metadata.careful else load_json(payload))
    except ValueError as error:
        raise ObjectUnreadable from error


def _as_result(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("This object says that it is a tool result, but it is not one.")  # noqa: TRY004 - bad bytes
    return value


def open_json_text(text: str) -> Any:
    """Return the list or dict of a JSON text, or ``None`` for other text."""
    stripped = text.strip() if text[:1].isspace() or text[-1:].isspace() else text
    if len(stripped) < 2 or (stripped[0], stripped[-1]) not in {("{", "}"), ("[", "]")}:  # noqa: PLR2004
        return None
    try:
        return parse_exactly(stripped)
    except ValueError:
        return None
