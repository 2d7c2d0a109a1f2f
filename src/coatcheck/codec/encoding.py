"""Encodes Python values. Encoding never fails because of a value."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from coatcheck.codec.chunked.encoder import CHUNK_BYTES, FIRST_CHUNK
from coatcheck.codec.chunked.size_estimate import is_small
from coatcheck.codec.envelope import JsonType, Kind, Metadata, PayloadBuffer
from coatcheck.codec.exact_json import load_exactly
from coatcheck.codec.json_encoders import (
    MAX_DEPTH,
    PART_LEVELS,
    dump_fast,
    dump_line_fast,
    dump_strict,
    encode_fallback,
    is_deeper,
)
from coatcheck.codec.tool_results import ToolResult, is_large_result, result_value

_Part = TypeVar("_Part")

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""
QUICK_BYTES = 4_000
"""Bytes of JSON that take less time than a check whether a value has more."""
LONG_VALUE = 5000
"""Items from which a list is encoded in chunks, so that its payload is not in memory twice."""


class Encoded:
    """A value's payload and its properties; see ``Metadata`` for the fields.

    Attributes:
        content: The payload, or the buffer that it was written into.
        size: Bytes of the payload.
    """

    __slots__ = ("_payload", "careful", "content", "kind", "length", "size", "type")

    def __init__(
        self,
        kind: Kind,
        payload: bytes | PayloadBuffer,
        type: JsonType,  # noqa: A002
        length: int | None,
        careful: bool = False,
    ) -> None:
        self.kind: Kind = kind
        self.content = payload
        self.type: JsonType = type
        self.length = length
        self.careful = careful
        self._payload: bytes | None
        self._payload, self.size = (payload, len(payload)) if isinstance(payload, bytes) else (None, payload.size)

    @property
    def payload(self) -> bytes:
        """The payload; a copy if it was written into a buffer, so prefer ``view``."""
        if self._payload is None:
            self._payload = self.content if isinstance(self.content, bytes) else self.content.payload()
        return self._payload

    @property
    def metadata(self) -> Metadata:
        """The metadata of the value before it is stored."""
        return Metadata(self.kind, self.size, self.type, self.length, careful=self.careful)

    def view(self) -> memoryview:
        """Return the payload without a copy."""
        return memoryview(self.content) if isinstance(self.content, bytes) else self.content.view()

    @property
    def characters(self) -> int:
        """Characters of the payload."""
        if self.kind == "text" and self.length is not None:
            return self.length
        if isinstance(self.content, PayloadBuffer):
            return self.content.characters
        return self.size if self.content.isascii() else len(self.content.decode())


def dump_json(value: Any) -> bytes:
    """Encode any value as compact JSON."""
    return try_dump(value)[0]


def dump_shown(value: Any) -> bytes:
    """Encode any value as compact JSON for a reader, with ``U+FFFD`` in place of lone surrogates."""
    encoded, careful = try_dump(value)
    return replace_escaped_surrogates(encoded.decode()).encode() if careful else encoded


def dump_each_shown(values: Iterable[Any]) -> list[bytes]:
    """Encode many small values for a reader, in half the time."""
    try:
        return [dump_fast(value) for value in values]
    except Exception:  # noqa: BLE001  # as in `try_dump`
        return [dump_shown(value) for value in values]


def well_formed_value(value: Any) -> Any:
    """Return a JSON value with ``U+FFFD`` in place of lone surrogates; the same object where it has none."""
    encoded, careful = try_dump(value)
    if not careful:
        return value
    shown = replace_escaped_surrogates(encoded.decode())
    return value if len(shown) == len(encoded) and shown.encode() == encoded else load_exactly(shown)


def readable_part(part: _Part) -> _Part:
    """Return a part of a message with a description of what is nested deeper than clients read.

    The same object if nothing is.
    """
    if not is_deeper(part, PART_LEVELS):
        return part
    shown: _Part = load_exactly(encode_fallback(part, MAX_DEPTH - PART_LEVELS))
    return shown


def replace_escaped_surrogates(text: str) -> str:
    """Return JSON with ``U+FFFD`` in place of the escapes of lone surrogates."""
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], text)


# Complete pairs are matched as well, so that the search continues after them.
_ESCAPE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def dump_line(value: Any) -> bytes:
    """Encode any value as a line of compact JSON, its newline included.

    Lone surrogates become ``U+FFFD``: official clients and servers drop a line that has one, and never answer.
    """
    try:
        return dump_line_fast(value)
    except Exception:  # noqa: BLE001  # as in ``try_dump``
        return replace_escaped_surrogates(encode_fallback(value).decode()).encode() + b"\n"


def dump_plain(value: Any, limit: int, size: int | None = None) -> bytes | None:
    """Encode a plain value of at most about ``limit`` characters as compact JSON; ``None`` for a larger one.

    It is ``None`` too for values that take longer to check: with an object of another class, a key that is not a
    string, a number of more than 64 bits.

    ``size`` are the bytes of its JSON or of a value around it, if they are known, which saves most of the time.
    """
    try:
        if size is not None and size <= max(limit, QUICK_BYTES):
            return dump_strict(value)
        may_fit = size is None or size <= LONGEST_CHARACTER * limit
        return dump_fast(value) if may_fit and is_small(value, limit, limit, with_keys=True) else None
    except TypeError:
        return None


def encode(value: Any) -> Encoded:
    """Encode any value: text as UTF-8, anything else as JSON."""
    if isinstance(value, str):
        encoded = encode_text(value)
        if encoded is not None:
            return encoded
    if isinstance(value, ToolResult):
        encoded_result, careful = try_dump(value.result)
        return describe_result(value.result, encoded_result, careful=careful)
    # Not a dict: dividing one into chunks costs as much as it saves.
    is_long = type(value) in {list, tuple} and len(value) >= LONG_VALUE
    payload, careful = _dump_in_chunks(value) if is_long else try_dump(value)
    return describe_payload(value, payload, careful=careful)


def _dump_in_chunks(items: list[Any] | tuple[Any, ...]) -> tuple[bytes | PayloadBuffer, bool]:
    buffer = PayloadBuffer()
    start, size = 0, FIRST_CHUNK
    try:
        while start < len(items):
            piece = dump_fast(items[start : start + size])
            buffer.write(b"," if start else b"[")
            buffer.write(memoryview(piece)[1:-1])
            start += size
            size = max(CHUNK_BYTES * size // len(piece), 1)
    except Exception:  # noqa: BLE001  # orjson's refusal, or whatever a foreign object's conversion raised
        return encode_fallback(items), True
    buffer.write(b"]")
    return buffer, False


def describe_result(result: dict[str, Any], payload: bytes | PayloadBuffer, *, careful: bool) -> Encoded:
    """Combine the payload of a tool result with the type and length of its value."""
    if is_large_result(result):
        # A large text is parsed in the sandbox; until then it counts as text.
        return Encoded("result", payload, "string", None, careful)
    shown = result_value(result)
    return Encoded("result", payload, json_type(shown), json_length(shown), careful)


def encode_text(text: str) -> Encoded | None:
    """Encode a text as UTF-8; ``None`` if it has lone surrogates and must become a JSON string."""
    try:
        return Encoded("text", str.encode(text, "utf-8"), "string", len(text))
    except UnicodeEncodeError:
        return None


def describe_payload(value: Any, payload: bytes | PayloadBuffer, *, careful: bool) -> Encoded:
    """Combine a JSON payload with the type and length of the value it came from."""
    kind = json_type(value)
    if kind is None:
        # Not one of Python's plain types: its JSON type follows from the first byte.
        whole = payload.payload() if isinstance(payload, PayloadBuffer) else payload
        kind = _TYPE_OF_FIRST_BYTE.get(whole[:1], "number")
        if kind == "number" and whole.lstrip(b"-").isdigit():
            kind = "integer"
    return Encoded("json", payload, kind, json_length(value), careful)


_TYPE_OF_FIRST_BYTE: dict[bytes, JsonType] = {
    b"{": "object",
    b"[": "array",
    b'"': "string",
    b"t": "boolean",
    b"f": "boolean",
    b"n": "null",
}


def json_type(value: Any) -> Any:
    """The JSON type of a plain value, or ``None`` for an object of another class."""
    known = _TYPES.get(type(value))
    if known is not None:
        return known
    for kind, name in _TYPES.items():  # of a class that inherits from one of these
        if isinstance(value, kind):
            return name
    return None


_TYPES: dict[type, JsonType] = {
    type(None): "null",
    bool: "boolean",  # before the integers, which it is one of
    str: "string",
    int: "integer",
    float: "number",
    dict: "object",
    **dict.fromkeys((list, tuple, set, frozenset), "array"),
}


def json_length(value: Any) -> int | None:
    """Items, keys or characters of a plain value; ``None`` if it has no length."""
    return len(value) if isinstance(value, (str, dict, list, tuple, set, frozenset)) else None


def try_dump(value: Any) -> tuple[bytes, bool]:
    """Encode as JSON; return whether the fallback encoder was used."""
    try:
        return dump_fast(value), False
    except Exception:  # noqa: BLE001  # orjson's refusal, or whatever a foreign object's conversion raised
        return encode_fallback(value), True
