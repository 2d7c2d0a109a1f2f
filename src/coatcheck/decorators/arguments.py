"""Putting resolved values in the place of references, wherever they stand in the arguments of a call.

The work is written once, as generators that yield what they need resolved and get what was found sent back; the caller
drives them with a sync or an async explorer.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from coatcheck.decorators.fitting import Expected
from coatcheck.errors import ArgumentRejected, excerpt
from coatcheck.explorer import Allowance, Found
from coatcheck.references import parse_reference, unescape

MAX_DEPTH = 100
"""Levels of lists and dicts in one argument that are searched for references."""

_CONTAINERS = frozenset({dict, list, tuple})
"""The containers that are searched, exactly these: a subclass may mean something by being one."""


@dataclass(frozen=True)
class Request:
    """What a call needs from the explorer: the value of a reference, as text where text is expected."""

    object_id: str
    path: str
    as_text: bool = False


T = TypeVar("T")
Steps: TypeAlias = Generator[Request, Found, T]


def settled(arguments: Mapping[str, Any], expected: Mapping[str, Expected]) -> Steps[dict[str, Any]]:
    """The arguments of a call with references resolved, each validated against its parameter.

    Raises:
        ArgumentRejected: A value does not fit, or is nested deeper than ``MAX_DEPTH`` levels.
    """
    result: dict[str, Any] = {}
    allowance = Allowance()
    for name, value in arguments.items():
        rule = expected.get(name)
        if rule is None or rule.is_default(value):
            result[name] = value
        else:
            result[name] = yield from _settled_one(value, rule, allowance)
    return result


def _settled_one(value: Any, rule: Expected, allowance: Allowance) -> Steps[Any]:
    sources: list[str] = []
    if isinstance(value, str):
        reference = parse_reference(value)
        if reference is not None:
            sources.append(value)
            found = yield Request(reference.object_id, str(reference.path), as_text=rule.is_text)
            allowance.take(found, value)
            # What takes text or nothing gets nothing for a null, not the text "null".
            settled_value = None if found.is_null and rule.accepts(None) else found.value
            return rule.fit(settled_value, sources, open_text=True)
        inner = None if rule.is_text or rule.accepts(value) else _container(value)
        if inner is None:
            return rule.fit(unescape(value), sources)
        value = inner
    if _mentions_objects(value):
        value = yield from _substituted(value, _Place(sources, rule.name, allowance))
    return rule.fit(value, sources)


def _container(text: str) -> Any:
    """The list or dict that ``text`` holds as JSON, or None: some hosts send structured arguments as text."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _mentions_objects(value: Any) -> bool:
    """Whether any string inside starts like a reference or its escape; a quick look before the thorough one."""
    level, seen = [value], set()
    while level:
        below: list[Any] = []
        for part in level:
            kind = type(part)
            if kind is str:
                if part.startswith("@"):
                    return True
            elif kind in _CONTAINERS and id(part) not in seen:
                # A value made in Python may hold itself.
                seen.add(id(part))
                below.extend(part.values() if kind is dict else part)
        level = below
    return False


@dataclass(frozen=True)
class _Place:
    """The argument whose parts are settled."""

    sources: list[str]
    name: str
    allowance: Allowance


def _substituted(value: Any, argument: _Place, depth: int = 0) -> Steps[Any]:
    if type(value) is str:
        if not value.startswith("@"):
            return value
        reference = parse_reference(value)
        if reference is None:
            return unescape(value)
        argument.sources.append(value)
        found = yield Request(reference.object_id, str(reference.path))
        argument.allowance.take(found, value)
        return found.value
    if type(value) not in _CONTAINERS:
        return value
    if depth >= MAX_DEPTH:
        raise ArgumentRejected(
            f'Argument "{excerpt(argument.name)}" holds references and is nested more than {MAX_DEPTH} levels deep. '
            "Pass a flatter value."
        )
    if type(value) is dict:
        entries = {}
        for key, part in value.items():
            entries[key] = yield from _substituted(part, argument, depth + 1)
        return entries
    parts = []
    for part in value:
        parts.append((yield from _substituted(part, argument, depth + 1)))  # noqa: PERF401 - a comprehension cannot yield
    return type(value)(parts)
