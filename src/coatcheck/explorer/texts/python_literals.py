"""Python's ``repr`` of lists and dicts: ``[{'id': 1, 'when': datetime.date(2026, 1, 31)}]``. Only in the sandbox."""

import ast
import datetime
import json
import re
import warnings
from collections.abc import Callable
from typing import Any

from coatcheck.codec import decode, encode
from coatcheck.codec.exact_json import EXACT
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

MOST_PARSED = 250_000
"""Characters up to which Python's parser reads a text that is not JSON after translation: 0.5 s per million."""
FEWEST_LINES = 2
_START = late_pattern(r"\s*[\[({]\s*(?:[\[({]\s*)*(?:'|\"|b['\"]|-?\d|None\b|True\b|False\b|[A-Za-z.]+\(|[\])}])")
_SINGLE = late_pattern(r"'|\bNone\b|\bTrue\b|\bFalse\b|\(")
_ESCAPE = late_pattern(r"(?<!\\)\\(?:x[0-9a-f]{2}|U[0-9a-f]{8})")
"""Escapes of Python that JSON does not have."""
_DOUBLE_QUOTED = late_pattern(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_TOKEN = late_pattern(
    r"""
    '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*"
  | \b(?:None|True|False|nan|inf)\b
  | \b[A-Za-z_][\w.]*\([^()]{0,200}\)
  | ,?\s*\) | \(
    """,
    re.VERBOSE,
)
_WORDS = {"None": "null", "True": "true", "False": "false", "nan": "null", "inf": "null", "(": "["}
_ENDS = {"[": "]", "(": ")", "{": "}"}


def looks_like_python(text: str) -> bool:
    """Whether a text starts and ends like the ``repr`` of a list, tuple, set or dict, and not like JSON."""
    head = text[:400].lstrip()
    if head[:1] not in _ENDS or text[-100:].rstrip()[-1:] != _ENDS[head[:1]]:
        return False
    if _START.match(head) is None:
        return False
    if _ESCAPE.search(head) is not None:
        return True
    return _SINGLE.search(head) is not None and _SINGLE.search(_DOUBLE_QUOTED.sub("", head)) is not None


def open_python_literal(text: str) -> Opened | None:
    """Return the list or dict that Python printed, in the JSON form of the store."""
    value = _parse_as_json(text)
    if value is None and len(text) <= MOST_PARSED:
        value = _parsed(text)
    if value is None and (together := _lines_together(text)):
        value = _parse_as_json(together)
        return None if value is None else Opened(value, "lines of Python repr")
    return Opened(value, "Python repr") if isinstance(value, (list, dict)) and value else None


def _lines_together(text: str) -> str:
    """Write lines that each contain the ``repr`` of a dict or list as one list; ``""`` if one does not."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) < FEWEST_LINES or any(line[0] not in _ENDS or line[-1] != _ENDS[line[0]] for line in lines):
        return ""
    return f"[{','.join(lines)}]"


def _parse_as_json(text: str) -> Any:
    """Translate the tokens to JSON and parse it; ``None`` if that is not JSON: sets, keys that are not strings."""
    try:
        return EXACT.decode(_TOKEN.sub(_as_json, text))
    except (SyntaxError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return None


def _as_json(token: re.Match[str]) -> str:
    text = token.group()
    if text[0] in "'\"":
        inside = text[1:-1]
        if inside.isprintable() and "\\" not in inside and '"' not in inside:
            return f'"{inside}"'
        return json.dumps(_literal(text))
    word = _WORDS.get(text)
    if word is not None:
        return word
    return "]" if text[-1] == ")" and text[0] in ",)" else json.dumps(_literal(text))


def _literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _value(ast.parse(text, mode="eval").body)


def _parsed(text: str) -> Any:
    try:
        value = _literal(text.strip())
    except (SyntaxError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return None
    encoded = encode(value)
    return decode(encoded.metadata, encoded.payload)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [_value(item) for item in node.elts]
        case ast.Tuple():
            return tuple(map(_value, node.elts))
        case ast.Set():
            return {_value(item) for item in node.elts}
        case ast.Dict():
            return {_value(_require_key(key)): _value(item) for key, item in zip(node.keys, node.values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Call(keywords=[]):
            return _construct(ast.unparse(node.func), list(map(_value, node.args)))
        case ast.Name(id="nan" | "inf"):
            return None
    raise ValueError("no literal")


def _require_key(key: ast.expr | None) -> ast.expr:
    if key is None:
        raise ValueError("no literal")
    return key


def _construct(name: str, given: list[Any]) -> Any:
    """Return the JSON form of a printed constructor: dates as ISO 8601, numbers and ids as their text."""
    make = _CONSTRUCTORS.get(name.rpartition(".")[2])
    if make is None:
        raise ValueError("no literal")
    return make(*given)


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError("no text")
    return text


def _identity(value: Any) -> Any:
    return value


_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "datetime": lambda *parts: datetime.datetime(*parts).isoformat(),  # noqa: DTZ001 - none was printed
    "date": lambda *parts: datetime.date(*parts).isoformat(),
    "time": lambda *parts: datetime.time(*parts).isoformat(),
    "Decimal": _text,
    "UUID": _text,
    "PosixPath": _text,
    "OrderedDict": _identity,
    "frozenset": _identity,
    "set": lambda items=(): list(items),
}
