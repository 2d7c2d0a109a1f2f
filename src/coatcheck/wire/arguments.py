"""References in the arguments of a tool call: found, resolved, and checked against the tool's own schema."""

import asyncio
from collections.abc import Iterator
from typing import Any

from coatcheck.errors import ArgumentRejected, excerpt
from coatcheck.explorer import Explorer
from coatcheck.references import Reference, parse_reference, unescape
from coatcheck.wire.measuring import weigh
from coatcheck.wire.schemas import Schema, follow

MAX_DEPTH = 64
"""Levels of the arguments in which references are looked for."""

CHECKED_AT_ONCE = 20_000
"""Characters of arguments up to which they are checked on the event loop, not in a thread."""

_COMBINED = ("anyOf", "oneOf", "allOf")
_AT_PARENTS = frozenset({*_COMBINED, "not"})

Place = tuple[str | int, ...]


async def resolve_arguments(arguments: Any, input_schema: Schema | None, explorer: Explorer) -> Any:
    """Put values in the place of references, at any level, and literal text in the place of what is escaped.

    A parameter declared as a string gets the text of the object as it was, every other the value. Where no string
    begins with ``@`` the same arguments come back, not a copy. What was put in is not scanned again.

    Raises:
        ObjectNotFound: A reference leads to no object.
        PathNotFound: A path leads nowhere in its object.
        ArgumentRejected: A resolved value does not fit the tool's schema; the message says which and what would.
    """
    if not _has_candidates(arguments):
        return arguments
    resolution = _Resolution(input_schema, explorer)
    resolved = await resolution.value(arguments, input_schema, ())
    if resolution.places and input_schema is not None:
        await _check(resolved, input_schema, resolution.places)
    return resolved


def _has_candidates(arguments: Any) -> bool:
    waiting = [(arguments, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            if value.startswith("@"):
                return True
        elif depth < MAX_DEPTH and isinstance(value, (dict, list)):
            inner = value.values() if isinstance(value, dict) else value
            waiting.extend((part, depth + 1) for part in inner if isinstance(part, (str, dict, list)))
    return False


class _Resolution:
    """One call's references; each is resolved once, however often it is used."""

    def __init__(self, root: Schema | None, explorer: Explorer) -> None:
        self.root = root or {}
        self.explorer = explorer
        self.places: dict[Place, str] = {}
        self.known: dict[tuple[Reference, bool], Any] = {}

    async def value(self, value: Any, schema: Any, place: Place) -> Any:
        if isinstance(value, str):
            return await self._text(value, schema, place) if value.startswith("@") else value
        if len(place) >= MAX_DEPTH:
            return value
        if isinstance(value, dict):
            parts = {key: await self.value(part, self.inner(schema, key), (*place, key)) for key, part in value.items()}
            return parts if any(parts[key] is not part for key, part in value.items()) else value
        if isinstance(value, list):
            items = [await self.value(part, self.inner(schema, at), (*place, at)) for at, part in enumerate(value)]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        return value

    async def _text(self, text: str, schema: Any, place: Place) -> Any:
        reference = parse_reference(text)
        if reference is None:
            return unescape(text)
        as_text = self.takes_text_alone(schema)
        if (reference, as_text) not in self.known:
            self.known[reference, as_text] = await self.explorer.aresolve(
                reference.object_id, str(reference.path), as_text=as_text
            )
        self.places[place] = text
        return self.known[reference, as_text]

    def branches(self, schema: Any, depth: int = 0) -> Iterator[Schema]:
        """Give the schema and what it is combined of, local references followed."""
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return
        yield schema
        if "$ref" in schema:
            yield from self.branches(follow(self.root, schema["$ref"]), depth + 1)
        for key in _COMBINED:
            for part in schema.get(key, ()):
                yield from self.branches(part, depth + 1)

    def inner(self, schema: Any, key: str | int) -> Any:
        """Find what a schema says of one of its properties or items; ``None`` where it says nothing."""
        for branch in self.branches(schema):
            if isinstance(key, int):
                first = branch.get("prefixItems", ())
                found = first[key] if key < len(first) else branch.get("items")
            else:
                found = branch.get("properties", {}).get(key, branch.get("additionalProperties"))
            if isinstance(found, dict):
                return found
        return None

    def takes_text_alone(self, schema: Any) -> bool:
        """Whether strings are all that a parameter takes, ``null`` aside."""
        kinds: set[str] = set()
        for branch in self.branches(schema):
            kind = branch.get("type", "string" if _lists_text(branch) else [])
            kinds.update(kind if isinstance(kind, list) else [kind])
        return kinds - {"null"} == {"string"}


def _lists_text(schema: Schema) -> bool:
    options = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return bool(options) and all(isinstance(option, str) for option in options)


async def _check(arguments: Any, schema: Schema, places: dict[Place, str]) -> None:
    if weigh(arguments, CHECKED_AT_ONCE) > CHECKED_AT_ONCE:
        fault = await asyncio.to_thread(_first_fault, arguments, schema, places)
    else:
        fault = _first_fault(arguments, schema, places)
    if fault is not None:
        raise ArgumentRejected(fault)


def _first_fault(arguments: Any, schema: Schema, places: dict[Place, str]) -> str | None:
    """Describe how a resolved value does not fit; ``None`` where all fit or the schema is no help."""
    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
        # The registry is empty: a schema must not make us fetch anything.
        errors: Iterator[ValidationError] = kind(schema, registry=Registry()).iter_errors(arguments)
        for error in errors:
            place = tuple(error.absolute_path)
            for resolved, reference in places.items():
                inside = place[: len(resolved)] == resolved
                around = resolved[: len(place)] == place and error.validator in _AT_PARENTS
                if inside or around:
                    return _describe(error, resolved, reference)
    except (SchemaError, Unresolvable, RecursionError):
        return None  # The server that owns the schema will judge.
    return None


def _describe(error: Any, resolved: Place, reference: str) -> str:
    inside = tuple(error.absolute_path)[len(resolved) :]
    where = f", at {excerpt(_spell(inside))} in it," if inside else ""
    expected = f"{error.validator} {excerpt(str(error.validator_value), 200)}"
    found = f"{_kind(error.instance)} {excerpt(_shown(error.instance), 80)}"
    return (
        f'The parameter "{excerpt(_spell(resolved).lstrip("."))}" does not take what {excerpt(reference)} leads to: '
        f"expected{where} {expected}; it is {found}. Use a path that leads to a fitting part."
    )


def _spell(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"with the keys {', '.join(map(str, list(value)[:8]))}"
    if isinstance(value, list):
        return f"with {len(value):,} items"
    if isinstance(value, int) and value.bit_length() > 1_000:  # noqa: PLR2004
        return f"with {value.bit_length():,} bits"
    return value[:400] if isinstance(value, str) else str(value)


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")
