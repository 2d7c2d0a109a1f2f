"""Python values to bytes. Encoding never fails because of a value."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from coatcheck.codec.careful import convert, encode_carefully
from coatcheck.codec.envelope import JsonType, Kind
from coatcheck.codec.results import ToolResult, is_large_result, result_value

Pieces = Sequence[bytes | memoryview]

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


class Encoded:
    """A value's payload and what is known of it; see ``Metadata`` for the fields.

    A payload that was made in pieces stays in pieces until somebody asks for the whole: a store joins them with what
    it puts before them, and so copies them once.

    Attributes:
        pieces: The payload, to be read one after the other.
        size: Bytes of the payload.
    """

    __slots__ = ("careful", "kind", "length", "pieces", "size", "type")

    def __init__(
        self,
        kind: Kind,
        payload: bytes | Pieces,
        type: JsonType,  # noqa: A002
        length: int | None,
        careful: bool = False,
    ) -> None:
        self.kind: Kind = kind
        self.pieces: Pieces = (payload,) if isinstance(payload, bytes) else payload
        self.size = sum(map(len, self.pieces))
        self.type: JsonType = type
        self.length = length
        self.careful = careful

    @property
    def payload(self) -> bytes:
        """The payload in one piece."""
        if len(self.pieces) != 1 or not isinstance(self.pieces[0], bytes):
            self.pieces = (b"".join(self.pieces),)
        whole: Any = self.pieces[0]
        return bytes(whole)


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
    return describe_result(result, payload, careful=careful)


def describe_result(result: dict[str, Any], payload: bytes | Pieces, *, careful: bool) -> Encoded:
    """Put the payload of a tool result together with the type and length of the value that paths walk in it."""
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


def describe_payload(value: Any, payload: bytes | Pieces, *, careful: bool) -> Encoded:
    """Put a JSON payload together with the type and length of the value it came from."""
    kind = json_type(value)
    if kind is None:
        # Not one of Python's plain types: what it became shows in the first byte.
        whole = payload if isinstance(payload, bytes) else b"".join(payload)
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
        return dump_fast(value), False
    except Exception:  # noqa: BLE001  # orjson's refusal, or whatever a foreign object's conversion raised
        return encode_carefully(value), True


def dump_fast(value: Any, default: Callable[[Any], Any] = convert) -> bytes:
    """Encode what the fast encoder takes; it raises whatever it or a foreign object raises at all else."""
    return orjson.dumps(value, default=default, option=_OPTIONS)
