"""Runs every operation once, so that all modules and codecs that they need are loaded."""

import contextlib
import unicodedata  # noqa: F401  # for patterns with \N{…}; a worker cannot import any more later
from collections.abc import Callable
from typing import Any

from coatcheck.codec import ToolResult, encode
from coatcheck.codec.tool_results import text_result
from coatcheck.errors import CoatcheckError
from coatcheck.explorer.operations.document import Answer, Document
from coatcheck.explorer.texts.mail_text import load_parser

_YAML = "a: 1\nb:\n  - c: 0.5\n    d: true\n"
_TOOL_RESULT = ToolResult(text_result('{"a": [1, 2]}'))


def warm_up(operations: dict[str, Callable[[Document, dict[str, Any]], Answer]]) -> None:
    """Run all operations on small objects of every kind, including invalid ones."""
    values = [
        {"a": [1, None, 10**30, {"b": "x\ny\u2028" * 200}]},
        "one\ntwo",
        "one",
        _YAML,
        '[{"a": 1}]',
        '{"a": 1}\n{"a": 2}\n',
        "a,b\n1,x\n2.50,y\n",
        "[{'a': 1, 'b': datetime.date(2026, 1, 1)}, {'a': Decimal('1.5')}]",
        "{1: 'a', 2: {'b'}}",
        "# One\n\ntext\n\n## Two\n" * 9,
        "2026-01-01 10:00:00 ERROR no\n" * 9,
        "\ud800",
        _TOOL_RESULT,
    ]
    for value in values:
        for name, operation in operations.items():
            _try(operation, value, "", 4000, whole=name == "show")
    for value in (values[0], "one", _YAML, _TOOL_RESULT):  # paths that do not exist, and invalid patterns
        for operation in operations.values():
            _try(operation, value, "nowhere", 80, whole=False)
    load_parser()
    for name, operation in operations.items():
        _try(operation, values[0], "a[0]", 4000, whole=name == "show")


def _try(
    operation: Callable[[Document, dict[str, Any]], Answer], value: Any, path: str, limit: int, *, whole: bool
) -> None:
    encoded = encode(value)
    document = Document(encoded.metadata, encoded.payload, in_sandbox=True)
    args = {
        "reference": "@obj_1",
        "path": path,
        "limit": limit,
        "whole": whole,
        "pattern": "(?P<n>o)n" if limit > 80 else "(",  # noqa: PLR2004
        "replacement": r"\g<n>!",
        "filter": ".. | tostring",
    }
    with contextlib.suppress(CoatcheckError):
        operation(document, args)
