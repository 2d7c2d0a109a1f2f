"""The types that a JSON schema declares, read without evaluating it and within a bound.

Servers write the schemas, so their cost is bounded: at most ``MOST_NODES`` subschemas and ``MOST_LEVELS`` levels are
read for a place, and no ``pattern``, no ``uniqueItems`` and nothing else is evaluated. Schemas that are beyond the
bound, malformed, unresolvable or untyped allow every type: the server validates the value.

``type``, ``const``, ``enum`` and ``$ref`` intersect with their siblings, ``allOf`` intersects, ``anyOf`` and ``oneOf``
unite, ``nullable`` adds ``null``. A place inside a value (an item, a property) unites all branches that describe it.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from coatcheck.arguments.json_pointers import follow

MOST_NODES = 500
MOST_LEVELS = 32
MOST_OPTIONS = 100
"""Maximum values of an ``enum`` that are read; a longer one allows every type."""

MOST_PLACES = 2_000
"""Places of one schema whose types are cached."""

Types: TypeAlias = frozenset[str]
Place: TypeAlias = tuple[str | int, ...]
Resolve: TypeAlias = Callable[[str], Any]

ANY: Types = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
"""Every type. Here ``number`` means a non-integer number; a declared ``number`` is ``integer`` and ``number``."""

_NUMBER: Types = frozenset({"integer", "number"})
_NAMED: dict[str, Types] = {name: frozenset({name}) for name in ANY} | {"number": _NUMBER}
_KINDS = {str: "string", dict: "object", list: "array", tuple: "array", bool: "boolean", int: "integer"}


def types_of_value(value: Any) -> Types:
    """Return the types that a JSON value has: an integral float is an integer too; none if it is not JSON."""
    if value is None:
        return _NAMED["null"]
    if isinstance(value, float):
        return _NUMBER if value.is_integer() else frozenset({"number"})
    name = _KINDS.get(type(value))
    return frozenset() if name is None else frozenset({name})


def is_text(types: Types) -> bool:
    """Whether a place accepts only text, and perhaps ``null``."""
    return types - {"null"} == {"string"}


def names(types: Types) -> str:
    """Format types for a message, with the names of the schema."""
    shown = types - {"integer"} if "number" in types else types
    return " or ".join(sorted(shown, key=lambda name: (name == "null", name)))


class DeclaredTypes:
    """The types that a schema allows at each place of a value.

    ``resolve`` returns the schema that a ``$ref`` leads to; by default local ones are looked up in ``root``.
    """

    def __init__(self, root: Any, resolve: Resolve | None = None) -> None:
        self._resolve: Resolve = resolve or (lambda reference: follow(root, reference))
        self._root = _Location((root,))
        self._places = 0

    def at(self, place: Place = ()) -> Types:
        """Return the types that are allowed at a place."""
        spot = self._root
        for key in place:
            spot = self._inner(spot, key)
        if spot.types is None:
            spot.types = self._types(spot.schemas)
        return spot.types

    def names_property(self, name: str) -> bool:
        """Whether the root or a part that it is combined of has a property of this name."""
        branches = self._branches(self._root.schemas) or [part for part in self._root.schemas if isinstance(part, dict)]
        return any(name in found for branch in branches if isinstance(found := branch.get("properties"), dict))

    def _inner(self, spot: "_Location", key: str | int) -> "_Location":
        branches = spot.branches
        if branches is None:
            branches = spot.branches = self._branches(spot.schemas)
            spot.by_position = any("prefixItems" in branch or type(branch.get("items")) is list for branch in branches)
        if isinstance(key, int) and not spot.by_position:
            key = 0  # All items are alike.
        known = spot.inner.get(key)
        if known is None:
            schemas = tuple(_subschemas_for(key, branches)) or (True,)
            # Members that no property names are alike, too: one entry serves all of them.
            known = spot.shared.setdefault(tuple(map(id, schemas)), _Location(schemas))
            if self._places < MOST_PLACES:
                self._places += 1
                spot.inner[key] = known
        return known

    def _types(self, schemas: tuple[Any, ...]) -> Types:
        budget = [MOST_NODES]
        try:
            united = frozenset[str]().union(*(self._of(schema, 0, budget) for schema in schemas))
        except _BoundExceeded:
            return ANY
        return united or ANY

    def _of(self, schema: Any, level: int, budget: list[int]) -> Types:
        budget[0] -= 1
        if budget[0] < 0 or level > MOST_LEVELS:
            raise _BoundExceeded
        if schema is False:
            return frozenset()
        if not isinstance(schema, dict):
            return ANY
        types = _declared(schema)
        if "$ref" in schema:
            types &= self._of(self._target(schema), level + 1, budget)
        for part in _subschema_list(schema, "allOf"):
            types &= self._of(part, level + 1, budget)
        for key in ("anyOf", "oneOf"):
            parts = [self._of(part, level + 1, budget) for part in _subschema_list(schema, key)]
            if parts:
                types &= frozenset[str]().union(*parts)
        return types | {"null"} if schema.get("nullable") is True else types

    def _target(self, schema: dict[str, Any]) -> Any:
        reference = schema["$ref"]
        return self._resolve(reference) if isinstance(reference, str) else None

    def _branches(self, schemas: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Return the schemas and their combined parts; none if there are too many."""
        found: list[dict[str, Any]] = []
        waiting = [(schema, 0) for schema in schemas]
        while waiting:
            schema, level = waiting.pop()
            if not isinstance(schema, dict):
                continue
            if level > MOST_LEVELS or len(found) >= MOST_NODES:
                return []
            found.append(schema)
            if "$ref" in schema:
                waiting.append((self._target(schema), level + 1))
            for key in ("allOf", "anyOf", "oneOf"):
                parts = _subschema_list(schema, key)
                if len(parts) > MOST_NODES:
                    return []
                waiting += [(part, level + 1) for part in parts]
        return found


class _Location:
    """The cached properties of one place."""

    __slots__ = ("branches", "by_position", "inner", "schemas", "shared", "types")

    def __init__(self, schemas: tuple[Any, ...]) -> None:
        self.schemas = schemas
        self.types: Types | None = None
        self.branches: list[dict[str, Any]] | None = None
        self.by_position = False
        self.inner: dict[str | int, _Location] = {}
        self.shared: dict[tuple[int, ...], _Location] = {}


class _BoundExceeded(Exception):
    """The schema exceeds the bound."""


def _declared(schema: dict[str, Any]) -> Types:
    types = ANY
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    known = [_NAMED[name] for name in kinds[: len(ANY) + 1] if isinstance(name, str) and name in _NAMED]
    if known:
        types &= frozenset[str]().union(*known)
    if "const" in schema:
        types &= types_of_value(schema["const"])
    options = schema.get("enum")
    if isinstance(options, list) and 0 < len(options) <= MOST_OPTIONS:
        types &= frozenset[str]().union(*map(types_of_value, options))
    return types


def _subschema_list(schema: dict[str, Any], key: str) -> list[Any]:
    parts = schema.get(key)
    return parts if isinstance(parts, list) else []


def _subschemas_for(key: str | int, branches: list[dict[str, Any]]) -> Iterator[Any]:
    for branch in branches:
        found = _item(branch, key) if isinstance(key, int) else _member(branch, key)
        if found is not None and found is not False:
            yield found


def _item(branch: dict[str, Any], position: int) -> Any:
    items = branch.get("items")
    first = items if isinstance(items, list) else branch.get("prefixItems")
    if isinstance(first, list) and position < len(first):
        return first[position]
    return branch.get("additionalItems") if isinstance(items, list) else items


def _member(branch: dict[str, Any], name: str) -> Any:
    properties = branch.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    return branch.get("additionalProperties")
