"""References in the arguments of a tool call: found, resolved, and checked against the tool's own schema."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from coatcheck.arguments.checking import COMBINED, Place, Resolved, check
from coatcheck.arguments.schemas import Schema, follow
from coatcheck.codec import DECODED_AT_ONCE, Manners, Pieces, splice_text
from coatcheck.explorer import Allowance, Explorer, Found
from coatcheck.explorer.operations.resolving import sample_of
from coatcheck.references import Reference, parse_reference, unescape

MAX_DEPTH = 64
"""Levels of the arguments in which references are looked for."""

MOST_CHECKED = 50_000
"""Values given beside references up to which they are checked together: it takes a second in a thread."""

_LOOK_EVERY = 1_000
"""Values between two looks at the clock."""


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
    what is stored), every other the value. Where nothing is put in the same arguments come back, not a copy. What was
    put in is not scanned again. Of a value over a megabyte a sample is checked against the schema; the tool itself
    checks the rest, and all of it where more than ``MOST_CHECKED`` values are given beside it.

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
    candidates, values = await _candidates(arguments)
    if not candidates:
        return arguments
    resolution = _Resolution(input_schema, explorer, as_json=as_json)
    settled = await resolution.settle(candidates)
    if resolution.places and input_schema is not None and values <= MOST_CHECKED:
        samples = {place: part.sample if isinstance(part, Resolved) else part for place, part in settled.items()}
        await check(await _filled_in(arguments, samples), input_schema, resolution.places)
    if pieces is not None:
        pieces += [piece for found in resolution.known.values() for piece in found.pieces]
    parts = {place: part.found.value if isinstance(part, Resolved) else part for place, part in settled.items()}
    return await _filled_in(arguments, parts)


async def _candidates(arguments: Any) -> tuple[list[tuple[Place, str]], int]:
    """Find the texts that begin with ``@``, in their order, and count all values."""
    found: list[tuple[Place, str]] = []
    count = 0
    manners = Manners()
    waiting: list[tuple[Place, Iterator[tuple[Any, Any]]]] = [((), iter([((), arguments)]))]
    while waiting:
        place, parts = waiting[-1]
        for key, part in parts:
            count += 1
            if not count % _LOOK_EVERY and manners.are_due():
                await manners.pause()
            if isinstance(part, str):
                if part.startswith("@"):
                    found.append((_inside(place, key), part))
            elif isinstance(part, (dict, list)) and len(inside := _inside(place, key)) < MAX_DEPTH:
                waiting.append((inside, iter(part.items()) if isinstance(part, dict) else enumerate(part)))
                break
        else:
            waiting.pop()
    return found, count


def _inside(place: Place, key: Any) -> Place:
    return () if key == () else (*place, key)


async def _filled_in(arguments: Any, parts: dict[Place, Any]) -> Any:
    """Put parts in their places; copied is only what is around them. Without parts it is the same object."""
    copies: dict[Place, Any] = {}
    manners = Manners()
    for number, (place, part) in enumerate(parts.items(), 1):
        if not place:
            return part
        _copied(arguments, place[:-1], copies)[place[-1]] = part
        if not number % _LOOK_EVERY and manners.are_due():
            await manners.pause()
    return copies.get((), arguments)


def _copied(arguments: Any, place: Place, copies: dict[Place, Any]) -> Any:
    """Give the copy of a container, in the copy of the one that it is in."""
    if place not in copies:
        if place:
            parent = _copied(arguments, place[:-1], copies)
            parent[place[-1]] = copies[place] = parent[place[-1]].copy()
        else:
            copies[place] = arguments.copy()
    return copies[place]


class _Resolution:
    """One call's references; each is resolved once, however often it is used."""

    def __init__(self, root: Schema | None, explorer: Explorer, *, as_json: bool) -> None:
        self.root = root or {}
        self.explorer = explorer
        self.as_json = as_json
        self.has_schema = root is not None
        self.allowance = Allowance()
        self.places: dict[Place, Resolved] = {}
        self.known: dict[tuple[Reference, bool], Found] = {}

    async def settle(self, candidates: list[tuple[Place, str]]) -> dict[Place, "Resolved | str"]:
        """Give what is to stand in the place of texts, where it is not these texts themselves."""
        settled: dict[Place, Resolved | str] = {}
        manners = Manners()
        for place, text in candidates:
            part = await self._text(text, place)
            if part is not text:
                settled[place] = part
            if manners.are_due():
                await manners.pause()
        return settled

    async def _text(self, text: str, place: Place) -> "Resolved | str":
        reference = parse_reference(text)
        if reference is None:
            return unescape(text)
        kinds = self.kinds(self.schema_at(place))
        as_text = kinds - {"null"} == {"string"}  # strings are all that the parameter takes, null aside
        found = self.known.get((reference, as_text))
        if found is None:
            found = self.known[reference, as_text] = await self._find(reference, as_text=as_text)
        self.allowance.take(found, text)
        if found.is_null and "null" in kinds:
            found = replace(found, value=None)
        cut = frozenset() if found.sample is None else found.sample.cut
        self.places[place] = Resolved(text, found, frozenset((*place, *inside) for inside in cut))
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
        for key in COMBINED:
            for part in schema.get(key, ()):
                yield from self.branches(part, depth + 1)

    def schema_at(self, place: Place) -> Any:
        """Find what the schema says of a part of the arguments; ``None`` where it says nothing."""
        schema: Any = self.root
        for key in place:
            schema = self.inner(schema, key)
        return schema

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
