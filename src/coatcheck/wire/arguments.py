"""References in the arguments of a tool call: found, resolved, and checked against the tool's own schema."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from coatcheck.codec import DECODED_AT_ONCE, Pieces, splice_text
from coatcheck.errors import ArgumentRejected, counted, excerpt
from coatcheck.explorer import Allowance, Explorer, Found
from coatcheck.operations.sampling import sample_of
from coatcheck.references import Reference, parse_reference, unescape
from coatcheck.wire.measuring import weigh
from coatcheck.wire.schemas import Schema, follow

MAX_DEPTH = 64
"""Levels of the arguments in which references are looked for."""

CHECKED_AT_ONCE = 20_000
"""Characters of arguments up to which they are checked on the event loop, not in a thread."""

_COMBINED = ("anyOf", "oneOf", "allOf")
_AT_PARENTS = frozenset({*_COMBINED, "not"})
_LOOKS_INSIDE = frozenset({*_AT_PARENTS, "if", "contains", "enum", "const", "uniqueItems", "dependentSchemas"})

Place = tuple[str | int, ...]


async def resolve_arguments(
    arguments: Any,
    input_schema: Schema | None,
    explorer: Explorer,
    *,
    as_json: bool = False,
    pieces: Pieces | None = None,
) -> Any:
    """Put values in the place of references, at any level, and literal text in the place of what is escaped.

    A parameter declared as a string gets the text of the object as it was (``null`` where it takes that too and that is
    what is stored), every other the value. Where no string
    begins with ``@`` the same arguments come back, not a copy. What was put in is not scanned again. Of a value over a
    megabyte a sample is checked against the schema; the tool itself checks the rest.

    Args:
        arguments: The arguments of a call.
        input_schema: The tool's own schema.
        explorer: What knows the objects.
        as_json: Put large values in as ``Spliced``, for who only passes the arguments on as JSON.
        pieces: Takes the parts of large values, for who frees them; see ``coatcheck.codec.let_go``.

    Raises:
        ObjectNotFound: A reference leads to no object.
        PathNotFound: A path leads nowhere in its object.
        ArgumentRejected: A resolved value does not fit the tool's schema; the message says which and what would. Or all
            of them together are too large.
    """
    if not _has_candidates(arguments):
        return arguments
    resolution = _Resolution(input_schema, explorer, as_json=as_json)
    settled = await resolution.value(arguments, input_schema, ())
    if resolution.places and input_schema is not None:
        await _check(_filled_in(settled, sampled=True), input_schema, resolution.places)
    if pieces is not None:
        pieces += [piece for found in resolution.known.values() for piece in found.pieces]
    return _filled_in(settled)


@dataclass(frozen=True, slots=True)
class _Reference:
    """Where a reference stood, and what it stands for."""

    text: str
    found: Found
    cut: frozenset[Place] = field(default=frozenset())


def _filled_in(settled: Any, *, sampled: bool = False) -> Any:
    """Put values, or samples of the large ones, in the place of references."""
    if isinstance(settled, _Reference):
        sample = settled.found.sample
        return sample.value if sampled and sample is not None else settled.found.value
    if isinstance(settled, dict):
        parts = {key: _filled_in(part, sampled=sampled) for key, part in settled.items()}
        return parts if any(parts[key] is not part for key, part in settled.items()) else settled
    if isinstance(settled, list):
        items = [_filled_in(part, sampled=sampled) for part in settled]
        return items if any(new is not old for new, old in zip(items, settled, strict=True)) else settled
    return settled


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

    def __init__(self, root: Schema | None, explorer: Explorer, *, as_json: bool) -> None:
        self.root = root or {}
        self.explorer = explorer
        self.as_json = as_json
        self.has_schema = root is not None
        self.allowance = Allowance()
        self.places: dict[Place, _Reference] = {}
        self.known: dict[tuple[Reference, bool], Found] = {}

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
        kinds = self.kinds(schema)
        as_text = kinds - {"null"} == {"string"}  # strings are all that the parameter takes, null aside
        found = self.known.get((reference, as_text))
        if found is None:
            found = self.known[reference, as_text] = await self._find(reference, as_text=as_text)
        self.allowance.take(found, text)
        if found.is_null and "null" in kinds:
            found = replace(found, value=None)
        cut = frozenset() if found.sample is None else found.sample.cut
        self.places[place] = _Reference(text, found, frozenset((*place, *inside) for inside in cut))
        return self.places[place]

    async def _find(self, reference: Reference, *, as_text: bool) -> Found:
        path = str(reference.path)
        if self.as_json and not as_text:
            return await self.explorer.afind_json(reference.object_id, path, sampled=self.has_schema)
        found = await self.explorer.afind(reference.object_id, path, as_text=as_text)
        if not as_text or found.size <= DECODED_AT_ONCE:
            return found
        value = await splice_text(found.value) if self.as_json else found.value
        return Found(value, found.size, sample_of(found.value))

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

    def kinds(self, schema: Any) -> set[str]:
        """Give the types of value that a parameter is declared to take."""
        kinds: set[str] = set()
        for branch in self.branches(schema):
            kind = branch.get("type", "string" if _lists_text(branch) else [])
            kinds.update(kind if isinstance(kind, list) else [kind])
        return kinds


def _lists_text(schema: Schema) -> bool:
    options = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return bool(options) and all(isinstance(option, str) for option in options)


async def _check(arguments: Any, schema: Schema, places: dict[Place, _Reference]) -> None:
    # In a thread the first time too: importing the validator takes a tenth of a second.
    if "jsonschema.validators" not in sys.modules or weigh(arguments, CHECKED_AT_ONCE) > CHECKED_AT_ONCE:
        fault = await asyncio.to_thread(_first_fault, arguments, schema, places)
    else:
        fault = _first_fault(arguments, schema, places)
    if fault is not None:
        raise ArgumentRejected(fault)


def _first_fault(arguments: Any, schema: Schema, places: dict[Place, _Reference]) -> str | None:
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
                if (inside or around) and not _may_be_the_samples(error, place, reference.cut):
                    return _describe(error, resolved, reference.text)
    except (SchemaError, Unresolvable, RecursionError):
        return None  # The server that owns the schema will judge.
    return None


def _may_be_the_samples(error: Any, place: Place, cut: frozenset[Place]) -> bool:
    """Whether an error may only come of what a sample leaves out."""
    if not cut or error.validator == "type":
        return False
    if error.validator in _LOOKS_INSIDE:
        return any(where[: len(place)] == place for where in cut)
    return place in cut


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
        return f"with {counted(len(value), 'item')}"
    if isinstance(value, int) and value.bit_length() > 1_000:  # noqa: PLR2004
        return f"with {value.bit_length():,} bits"
    return value[:400] if isinstance(value, str) else str(value)


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")
