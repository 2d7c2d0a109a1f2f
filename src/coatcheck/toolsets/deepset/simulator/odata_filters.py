"""The part of OData's filter language that the API is used with: comparisons, ``contains``, joined by ``and``."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coatcheck.toolsets.deepset.simulator.api_replies import ApiFault

_COMPARISON = re.compile(r"([\w/]{1,64}) (eq|ne|gt|ge|lt|le) (?:'((?:[^']|''){0,500})'|(-?\d{1,15}(?:\.\d{1,9})?))")
_CONTAINS = re.compile(r"contains\(([\w/]{1,64}), ?'((?:[^']|''){0,500})'\)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}

Item = dict[str, Any]


def filtered(items: Sequence[Item], text: str | None) -> list[Item]:
    """Return the items that fit a filter; texts are compared without regard to case.

    Raises:
        ApiFault: The filter cannot be read.
    """
    if not text:
        return list(items)
    tests = [_test(part.strip()) for part in text.split(" and ")]
    return [item for item in items if all(test(item) for test in tests)]


def _test(text: str) -> Callable[[Item], bool]:
    contains = _CONTAINS.fullmatch(text)
    if contains:
        field, wanted = contains[1], contains[2].replace("''", "'").lower()
        return lambda item: wanted in str(_value(item, field)).lower()
    comparison = _COMPARISON.fullmatch(text)
    if comparison is None:
        raise ApiFault(400, f"The filter cannot be read at: {text[:100]}")
    field, operator = comparison[1], _OPERATORS[comparison[2]]
    if comparison[3] is not None:
        right_text = comparison[3].replace("''", "'").lower()
        return lambda item: operator(str(_value(item, field)).lower(), right_text)
    right = float(comparison[4])

    def compare(item: Item) -> bool:
        left = _value(item, field)
        return isinstance(left, (int, float)) and operator(left, right)

    return compare


def _value(item: Any, field: str) -> Any:
    for key in field.split("/"):
        item = item.get(key) if isinstance(item, Mapping) else None
    return item
