"""The fast encoder, which refuses values that it would change, and the fallback encoder."""

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any

import orjson

from coatcheck.codec.exact_json import digits_of, has_more_levels
from coatcheck.errors import counted

MAX_DEPTH = 200
"""Levels of nesting that are preserved; the limits of the fast decoder and of jq are higher."""

FAST_DEPTH = 254
"""Maximum levels of nesting of the fast encoder."""

CLIENT_LEVELS = 200
"""Levels of a whole message that the official clients and servers read; pydantic's parser refuses one more."""

PART_LEVELS = CLIENT_LEVELS - 10
"""Levels of a part of a message, such as a result, a tool or an argument, that leave room for those around it."""

MAX_REPR_CHARACTERS = 1000
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1


class Spliced:
    """Encoded JSON that is inserted in place of a value without decoding.

    Attributes:
        json: The JSON of one value; a view is not copied.
    """

    __slots__ = ("json",)

    def __init__(self, json: bytes | memoryview) -> None:
        self.json = json


def convert(value: Any) -> Any:  # noqa: C901  # one branch for each kind of value
    """Convert one level of a Python object to plain values: the hook for classes that orjson does not support.

    Raises:
        TypeError: The object has no JSON form; the fallback encoder then describes it.
    """
    if isinstance(value, Spliced):
        return orjson.Fragment(bytes(value.json))
    if hasattr(type(value), "__pydantic_serializer__") and hasattr(value, "model_dump"):
        return _model_members(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # orjson's own encoding of them omits fields that start with an underscore.
        return _fields(value, [field.name for field in dataclasses.fields(value)])
    if isinstance(value, (AbstractSet, ValuesView)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        whole = bytes(value)
        return {"$base64": base64.b64encode(whole).decode("ascii"), "bytes": len(whole)}
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(type(value), "__attrs_attrs__"):
        return _fields(value, [field.name for field in type(value).__attrs_attrs__])
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    to_list = getattr(value, "tolist", None)
    if callable(to_list) and hasattr(value, "dtype"):
        return to_list()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    raise TypeError(type(value).__name__)


def _model_members(model: Any) -> Any:
    """Return a pydantic model as JSON-like values, or as Python values if a member has no JSON form."""
    try:
        return model.model_dump(mode="json", by_alias=True, warnings=False)
    except ValueError:
        return model.model_dump(mode="python", by_alias=True, warnings=False)


def _fields(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields of an object that are set."""
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def encode_fallback(value: Any, depth: int = 0, inside: Iterable[int] = ()) -> bytes:
    """Encode any value; an object without a JSON form becomes ``{"$repr": …, "type": …}``, bounded.

    For a part of a value, ``depth`` is the number of levels above it, and ``inside`` has the ``id`` of each container
    there.
    """
    return orjson.dumps(_plain(value, depth, set(inside)))


def _plain(value: Any, depth: int, inside: set[int]) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth, inside)
    if isinstance(value, str):
        text = str.__str__(value)
        return text if is_utf8(text) else orjson.Fragment(json.dumps(text))
    if isinstance(value, int):
        return int(value) if _INT64_MIN <= value <= _UINT64_MAX else orjson.Fragment(digits_of(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Spliced):
        return convert(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time, uuid.UUID)):
        return value.isoformat() if not isinstance(value, uuid.UUID) else str(value)
    if depth >= MAX_DEPTH or id(value) in inside:
        return describe(value)
    inside.add(id(value))
    try:
        return _container(value, depth, inside)
    finally:
        inside.discard(id(value))


def _container(value: Any, depth: int, inside: set[int]) -> Any:
    if isinstance(value, dict):
        return _members(value, depth, inside)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1, inside) for item in value]
    try:
        converted = convert(value)
    except Exception:  # noqa: BLE001  # a foreign object may raise anything when it is asked for its contents
        return describe(value)
    # One more level, so that an object that converts to another of its class terminates.
    return _plain(converted, depth + 1, inside)


def _members(value: dict[Any, Any], depth: int, inside: set[int]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, member in value.items():
        plain[key_name(key, plain)] = _plain(member, depth + 1, inside)
    return plain


def key_name(key: Any, taken: Container[str]) -> str:
    """Return a unique JSON name for a dict's key: of ``{1: …, "1": …}`` both are kept."""
    name = _key(key)
    while name in taken:
        name = f"{name} ({type(key).__name__})"
    return name


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        return _key(key.value)
    if isinstance(key, str):
        # A fragment cannot be a key: a lone surrogate becomes its escape, readable and unambiguous enough.
        return str(key) if is_utf8(key) else key.encode("utf-8", "backslashreplace").decode()
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return digits_of(key)
    if isinstance(key, (float, decimal.Decimal, uuid.UUID)):
        return str(key)
    if isinstance(key, (datetime.datetime, datetime.date, datetime.time)):
        return key.isoformat()
    if isinstance(key, os.PathLike):
        return str(key)
    return _bounded_repr(key)


def is_utf8(text: str) -> bool:
    """Whether a text has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe(value: Any) -> dict[str, str]:
    """Describe an object without a JSON form, within a bound."""
    kind = type(value)
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        text = f"<{kind.__name__} of {counted(len(value), 'item')}, nested too deeply or inside itself>"
    else:
        text = _bounded_repr(value)
    return {"$repr": text, "type": f"{kind.__module__}.{kind.__qualname__}"}


def _bounded_repr(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  # a foreign __repr__ may raise anything
        text = f"<{type(value).__qualname__}: its repr raised {type(error).__name__}>"
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) > MAX_REPR_CHARACTERS:
        text = f"{text[:MAX_REPR_CHARACTERS]}… (+{len(text) - MAX_REPR_CHARACTERS} characters)"
    return text


OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
STRICT = OPTIONS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS

LONG_SPLICED = 64 * 1024
"""Bytes from which spliced JSON is inserted separately."""

_PLACE = b'"%b"' % secrets.token_hex(16).encode()  # random, and never leaves the process


def dump_fast(value: Any, default: Callable[[Any], Any] | None = convert, options: int = OPTIONS) -> bytes:
    """Encode as compact JSON; raises the errors of orjson and of converted objects."""
    if "numpy" in sys.modules:
        # Otherwise no value is from numpy, and orjson would import it (0.15 s, 30 MB) at the first unknown class.
        options |= orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=default, option=options)


def _convert_decoded(value: Any) -> Any:
    return None if isinstance(value, Spliced) else convert(value)


def is_deeper(value: Any, levels: int = CLIENT_LEVELS) -> bool:
    """Whether a JSON value has more than this many levels of lists and objects, not counting those of spliced JSON."""
    nested = value
    for _ in range(FAST_DEPTH - levels):
        nested = (nested,)
    try:
        dump_fast(nested, _convert_decoded)
    except Exception:  # noqa: BLE001  # for its depth, or for what else the fast encoder refuses
        return has_more_levels(value, levels)
    return False


def dump_strict(value: Any) -> bytes:
    """Encode as compact JSON; raises ``TypeError`` for an object of another class than those of JSON."""
    return orjson.dumps(value, option=STRICT)


def dump_line_fast(value: Any) -> bytes:
    """Encode like ``dump_fast``, with a newline at the end; long spliced JSON is copied once, not twice."""
    long: list[bytes | memoryview] = []

    def converted(part: Any) -> Any:
        if isinstance(part, Spliced) and len(part.json) >= LONG_SPLICED:
            long.append(part.json)
            return orjson.Fragment(_PLACE)
        return convert(part)

    line = dump_fast(value, converted, OPTIONS | orjson.OPT_APPEND_NEWLINE)
    if not long:
        return line
    first, *others = line.split(_PLACE)
    return b"".join((first, *chain.from_iterable(zip(long, others, strict=True))))
