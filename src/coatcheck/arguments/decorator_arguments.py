"""Putting resolved values in the place of references, wherever they stand in the arguments of a call.

The work is written once, as generators that yield what they need resolved and get what was found sent back; the caller
drives them with a sync or an async explorer. Now and then they yield ``None``: others may have their turn.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from coatcheck.arguments.expected_values import Expected
from coatcheck.errors import ArgumentRejected, excerpt
from coatcheck.explorer import Allowance, Found
from coatcheck.references import parse_reference, unescape

MAX_DEPTH = 100
"""Levels of lists and dicts in one argument that are searched for references."""

_TURN_EVERY = 1_000
"""Parts of an argument after which others may have their turn."""

_CONTAINERS = frozenset({dict, list, tuple})
"""The containers that are searched, exactly these: a subclass may mean something by being one."""


@dataclass(frozen=True)
class Request:
    """What a call needs from the explorer: the value of a reference, as text where text is expected."""

    object_id: str
    path: str
    as_text: bool = False


T = TypeVar("T")
Steps: TypeAlias = Generator[Request | None, Any, T]


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
            found: Found = yield Request(reference.object_id, str(reference.path), as_text=rule.is_text)
            allowance.take(found, value)
            # What takes text or nothing gets nothing for a null, not the text "null".
            settled_value = None if found.is_null and rule.accepts(None) else found.value
            return rule.fit(settled_value, sources, open_text=True)
        inner = None if rule.is_text or rule.accepts(value) else _container(value)
        if inner is None:
            return rule.fit(unescape(value), sources)
        value = inner
    if (yield from _mentions_objects(value)):
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


def _mentions_objects(value: Any) -> Steps[bool]:
    """Whether any string inside starts like a reference or its escape; a quick look before the thorough one."""
    seen: set[int] = set()  # A value made in Python may hold itself.
    waiting, count = [iter((value,))], 0
    while waiting:
        for part in waiting[-1]:
            count += 1
            if not count % _TURN_EVERY:
                yield None
            kind = type(part)
            if kind is str:
                if part.startswith("@"):
                    return True
            elif kind in _CONTAINERS and id(part) not in seen:
                seen.add(id(part))
                waiting.append(iter(part.values() if kind is dict else part))
                break
        else:
            waiting.pop()
    return False


@dataclass(frozen=True)
class _Place:
    """The argument whose parts are settled."""

    sources: list[str]
    name: str
    allowance: Allowance


def _substituted(value: Any, argument: _Place) -> Steps[Any]:
    """Resolve every reference inside; copied is only what is around one."""
    return _with(value, (yield from _resolved_parts(value, argument)))


def _resolved_parts(value: Any, argument: _Place) -> Steps[dict[Any, Any]]:
    """Give what is to stand in the place of texts: dicts inside dicts, as the containers around them are."""
    root: dict[Any, Any] = {}
    count = 0
    waiting: list[tuple[tuple[Any, ...], Iterator[tuple[Any, Any]]]] = [((), _entries(value))]
    while waiting:
        place, entries = waiting[-1]
        for key, part in entries:
            count += 1
            if not count % _TURN_EVERY:
                yield None
            if type(part) is str and part.startswith("@"):
                inner = root
                for step in place:
                    inner = inner.setdefault(step, {})
                inner[key] = yield from _resolved_text(part, argument)
            elif type(part) in _CONTAINERS:
                if len(waiting) >= MAX_DEPTH:
                    raise ArgumentRejected(
                        f'Argument "{excerpt(argument.name)}" holds references and is nested more than {MAX_DEPTH} '
                        "levels deep. Pass a flatter value."
                    )
                waiting.append(((*place, key), _entries(part)))
                break
        else:
            waiting.pop()
    return root


def _entries(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items()) if type(container) is dict else enumerate(container)


def _resolved_text(text: str, argument: _Place) -> Steps["_Resolved"]:
    reference = parse_reference(text)
    if reference is None:
        return _Resolved(unescape(text))
    argument.sources.append(text)
    found: Found = yield Request(reference.object_id, str(reference.path))
    argument.allowance.take(found, text)
    return _Resolved(found.value)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What stands in the place of a text."""

    value: Any


def _with(value: Any, parts: Any) -> Any:
    """Copy a container with other parts in the places that ``parts`` names."""
    if isinstance(parts, _Resolved):
        return parts.value
    copy = dict(value) if type(value) is dict else list(value)
    for key, part in parts.items():
        copy[key] = _with(copy[key], part)
    return tuple(copy) if type(value) is tuple else copy
