"""Python values to bytes. Encoding never fails because of a value."""

from dataclasses import dataclass
from typing import Any

import orjson

from coatcheck.codec.careful import convert, encode_carefully
from coatcheck.codec.envelope import JsonType, Kind
from coatcheck.codec.results import ToolResult, is_large_result, result_value

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value's payload and what is known of it; see ``Metadata`` for the fields."""

    kind: Kind
    payload: bytes
    type: JsonType
    length: int | None
    careful: bool = False


def dump_json(value: Any) -> bytes:
    """Encode any value as compact JSON."""
    return try_dump(value)[0]


def pretty_json(value: Any) -> str:
    """Encode any value as JSON with two spaces of indentation, non-ASCII characters as they are."""
    try:
        return orjson.dumps(value, default=convert, option=_OPTIONS | orjson.OPT_INDENT_2).decode()
    except TypeError:
        import json

        from coatcheck.codec.decoding import load_exactly

        return json.dumps(load_exactly(encode_carefully(value)), indent=2, ensure_ascii=False)


def encode(value: Any) -> Encoded:
    """Encode any value: text as it is, all else as JSON."""
    if isinstance(value, str):
        encoded = encode_text(value)
        if encoded is not None:
            return encoded
    if isinstance(value, ToolResult):
        return _encode_result(value.result)
    payload, careful = try_dump(value)
    return describe_payload(value, payload, careful=careful)


def _encode_result(result: dict[str, Any]) -> Encoded:
    payload, careful = try_dump(result)
    if is_large_result(result):
        # What a large text spells out is found in the sandbox; until then it counts as text.
        return Encoded("result", payload, "string", None, careful)
    shown = result_value(result)
    return Encoded("result", payload, json_type(shown), json_length(shown), careful)


def encode_text(text: str) -> Encoded | None:
    """Encode a text as UTF-8, or give ``None`` where it has lone surrogates and must become a JSON string."""
    try:
        return Encoded("text", str.encode(text, "utf-8"), "string", len(text))
    except UnicodeEncodeError:
        return None


def describe_payload(value: Any, payload: bytes, *, careful: bool) -> Encoded:
    """Put a JSON payload together with the type and length of the value it came from."""
    kind = json_type(value)
    if kind is None:
        # Not one of Python's plain types: what it became shows in the first byte.
        kind = _TYPE_OF_FIRST_BYTE.get(payload[:1], "number")
        if kind == "number" and payload.lstrip(b"-").isdigit():
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
    if value is None:
        return "null"
    for kinds, name in _TYPES:
        if isinstance(value, kinds):
            return name
    return None


_TYPES: tuple[tuple[Any, JsonType], ...] = (
    (bool, "boolean"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (dict, "object"),
    ((list, tuple, set, frozenset), "array"),
)


def json_length(value: Any) -> int | None:
    """Items, keys or characters of a plain value; ``None`` where it has no length."""
    return len(value) if isinstance(value, (str, dict, list, tuple, set, frozenset)) else None


def try_dump(value: Any) -> tuple[bytes, bool]:
    """Encode as JSON, and tell whether it took the careful encoder."""
    try:
        return orjson.dumps(value, default=convert, option=_OPTIONS), False
    except Exception:  # noqa: BLE001  # orjson's refusal, or whatever a foreign object's conversion raised
        return encode_carefully(value), True
