"""The resolver: replaces references anywhere in the arguments of a call by their values.

Decorators, ``attach``, ``wrap`` and the gateway all use it. It is written once, as coroutines over a ``Lookup``.

- A reference as a whole argument, or as an element of lists and objects, becomes the value: text if the place accepts
  only text, otherwise the form that matches the declared types (see ``coatcheck.arguments.declared_types``).
- JSON text at a place that does not accept text is parsed if it mentions an object, and resolved inside.
- ``{{@obj_1.title}}`` inside a longer text becomes that text; ``{{@@obj_1}}`` is the literal ``{{@obj_1}}``.
- An existing reference inside a longer text, without braces or in other ones, stays and causes a note.
- A near miss of an existing reference as a whole text is an error.
"""

from collections.abc import Callable, Iterator
from typing import Any

from coatcheck.arguments.declared_types import ANY, Place, Types, is_text, names, types_of_value
from coatcheck.arguments.lookup import Lookup, text_of_found
from coatcheck.arguments.mentions import (
    TEMPLATE,
    NearMiss,
    may_refer,
    mentions,
    near_miss,
    nearest_id,
)
from coatcheck.codec import Spliced, parse_exactly
from coatcheck.errors import ArgumentRejected, ObjectNotFound, counted, excerpt, quoted
from coatcheck.explorer.reference_values import Allowance, Found
from coatcheck.references import Reference, parse_reference, parse_target, unescape

MAX_DEPTH = 100
"""Maximum levels of lists and objects in one argument; a reference at a deeper level is an error."""

CHECKED_ITEMS = 20
"""Number of items of an array whose types are checked."""

MAX_NOTES = 20
"""Notes of a call that the model gets."""

_TURN_EVERY = 1_000
"""Parts of the arguments after which the resolver may yield to other tasks."""

_CONTAINERS = frozenset({dict, list, tuple})
"""The containers that are searched, without subclasses, whose class may be significant."""

_NOT_JSON: Any = object()
_KINDS: dict[type, str] = {dict: "an object", list: "an array", str: "a string"}


class Resolver:
    """Resolves the references of one call; each is looked up once, however often it is used.

    Args:
        lookup: Finds the values of references.
        types_at: Returns the types that are allowed at a place of the arguments.

    Attributes:
        notes: Notes for the model that follow the result of the call.
        sources: The references that each argument was resolved from, by its name.
    """

    def __init__(self, lookup: Lookup, types_at: Callable[[Place], Types]) -> None:
        self._lookup = lookup
        self._types_at = types_at
        self._allowance = Allowance()
        self._known: dict[tuple[str, bool, bool, bool], Found] = {}
        self._exists: dict[str, bool] = {}
        self._ids: list[str] | None = None
        self.notes: list[str] = []
        self.sources: dict[str | int, list[str]] = {}

    @staticmethod
    def concerns(arguments: dict[str, Any]) -> bool:
        """Whether arguments may contain references; a quick check for most scalars."""
        return any(
            type(value) in _CONTAINERS or (type(value) is str and ("@" in value or "obj_" in value))
            for value in arguments.values()
        )

    async def resolve(self, arguments: Any) -> Any:
        """Return the arguments with references replaced by values; the same object if there are none.

        Inserted values are not searched again. The original arguments are not modified.

        Raises:
            ObjectNotFound: The object of a reference does not exist.
            PathNotFound: A path does not exist in its object.
            ReferenceSyntaxError: A path in braces is malformed.
            ArgumentRejected: A value does not fit its place, a reference is nested too deeply, a text is a near miss of
                a reference, or all values together are too large. The message says which and what to do.
        """
        return await self._inside(arguments, ())

    async def _inside(self, value: Any, place: Place) -> Any:
        candidates = await self._candidates(value, place)
        parts: dict[Place, Any] = {}
        for where, text in candidates:
            part = await self._text(text, where)
            if part is not text:
                parts[where[len(place) :]] = part
            await self._lookup.pause()
        return await self._filled_in(value, parts) if parts else value

    async def _candidates(self, value: Any, base: Place) -> list[tuple[Place, str]]:
        """Find the texts that may contain references, in order."""
        if type(value) not in _CONTAINERS:
            return []
        found: list[tuple[Place, str]] = []
        # Containers without candidates, and those that are being read, because a Python value may contain itself.
        passed = {id(value)}
        keys: list[Any] = list(base)
        count = 0
        waiting: list[tuple[Any, Iterator[tuple[Any, Any]], int]] = [(value, _entries(value), 0)]
        while waiting:
            container, entries, before = waiting[-1]
            for key, part in entries:
                count += 1
                if not count % _TURN_EVERY:
                    await self._lookup.pause()
                kind = type(part)
                if kind is str:
                    if ("@" in part or "obj_" in part) and may_refer(part):
                        found.append(((*keys, key), part))
                elif kind in _CONTAINERS and id(part) not in passed:
                    passed.add(id(part))
                    keys.append(key)
                    waiting.append((part, _entries(part), len(found)))
                    break
            else:
                waiting.pop()
                if waiting:
                    keys.pop()
                if len(found) > before:
                    passed.discard(id(container))
        return found

    async def _text(self, text: str, place: Place, *, is_parsed: bool = False) -> Any:
        """Return the replacement of a text; the same text if there is none."""
        reference = parse_reference(text)
        if reference is not None:
            return await self._value(reference, text, place)
        plain = unescape(text)
        if plain is not text:
            return plain
        types = self._types_at(place)
        takes_text = "string" in types
        if not takes_text and not is_parsed and "@obj_" in text:
            parsed = await self._json_text(text, place, types)
            if parsed is not _NOT_JSON:
                return parsed
        if "{{@" in text:
            return await self._filled_template(text, place, takes_text=takes_text)
        slip = near_miss(text[1:] if text.startswith("@@") else text)
        if slip is not None and (problem := await self._problem_with(slip, place)) is not None:
            if text.startswith("@@"):
                return text[1:]
            raise ArgumentRejected(
                f"The parameter {_quoted(place)} holds {quoted(text)}, which is not a reference. {problem} "
                "If the text is meant literally, write it with a second @ in front."
            )
        await self._note_mentions(text, place)
        return text

    # A reference

    async def _value(self, reference: Reference, text: str, place: Place) -> Any:
        if len(place) - 1 > MAX_DEPTH:
            raise ArgumentRejected(
                f"The parameter {quoted(str(place[0]))} holds references and is nested more than {MAX_DEPTH} "
                "levels deep. Pass a flatter value."
            )
        self.sources.setdefault(place[0] if place else "", []).append(text)
        types = self._types_at(place)
        if is_text(types):
            found = await self._found(reference, text, as_text=True)
            return None if found.is_null and "null" in types else found.value
        limited = self._limits_items(types, place)
        found = await self._found(reference, text, sampled=limited)
        shown = _shown(found)
        if _fits(shown, types):
            if limited:
                self._check_items(shown, text, place)
            return found.value
        written = text_of_found(found) if isinstance(shown, str) else None
        if written is not None:
            parsed = _parsed(written)
            if (parsed is _NOT_JSON or not _fits(parsed, types)) and not types.isdisjoint({"array", "object"}):
                parsed = (await self._found(reference, text, opened=True)).value
            if parsed is not _NOT_JSON and _fits(parsed, types):
                if limited:
                    self._check_items(parsed, text, place)
                return parsed
        if "string" in types:
            return (await self._found(reference, text, as_text=True)).value
        raise ArgumentRejected(
            f"The parameter {_quoted(place)} takes {names(types)}, but {excerpt(text)} leads to "
            f"{_described(shown, found)}. Use a path that leads to a fitting part."
        )

    async def _found(
        self, reference: Reference, text: str, *, as_text: bool = False, sampled: bool = False, opened: bool = False
    ) -> Found:
        key = text, as_text, sampled, opened
        found = self._known.get(key)
        if found is None:
            try:
                found = await self._lookup.find(reference, as_text=as_text, sampled=sampled, opened=opened)
            except ObjectNotFound as error:
                near = nearest_id(reference.object_id, await self._all_ids())
                if near is None:
                    raise
                raise ObjectNotFound(error.object_id, f"Did you mean @{near}{excerpt(str(reference.path))}?") from None
            self._known[key] = found
        self._allowance.take(found, text)
        return found

    def _limits_items(self, types: Types, place: Place) -> bool:
        """Whether the types of an array's items are limited; as a rule all have the same, or the first have others."""
        return "array" in types and (
            self._types_at((*place, 0)) != ANY or self._types_at((*place, CHECKED_ITEMS - 1)) != ANY
        )

    def _check_items(self, value: Any, text: str, place: Place) -> None:
        if not isinstance(value, list):
            return
        for position, item in enumerate(value[:CHECKED_ITEMS]):
            types = self._types_at((*place, position))
            if not _fits(item, types):
                raise ArgumentRejected(
                    f"The parameter {_quoted(place)} takes an array of {names(types)}, but at [{position}] in "
                    f"{excerpt(text)} there is {_described(item)}. Use a path that leads to a fitting part."
                )

    # Text that contains references

    async def _json_text(self, text: str, place: Place, types: Types) -> Any:
        """Parse a text at a place that takes none, and resolve what is inside; ``_NOT_JSON`` where it does not fit."""
        if text.lstrip()[:1] not in {"[", "{", '"'}:
            return _NOT_JSON
        parsed = _parsed(text)
        if isinstance(parsed, str):
            resolved = await self._text(parsed, place, is_parsed=True) if parse_reference(parsed) else parsed
            return _NOT_JSON if resolved is parsed else resolved
        return await self._inside(parsed, place) if parsed is not _NOT_JSON and _fits(parsed, types) else _NOT_JSON

    async def _filled_template(self, text: str, place: Place, *, takes_text: bool) -> Any:
        pieces: list[str] = []
        end = 0
        for template in TEMPLATE.finditer(text):
            await self._lookup.pause()
            inside = template[1]
            if inside.startswith("@@"):
                piece = "{{" + inside[1:] + "}}"
            else:
                target = await self._template_target(inside)
                if target is None:
                    continue
                if template.span() == (0, len(text)) and not takes_text:
                    return await self._value(target, inside, place)
                self.sources.setdefault(place[0] if place else "", []).append(inside)
                piece = text_of_found(await self._found(target, inside, as_text=True)) or ""
            pieces += [text[end : template.start()], piece]
            end = template.end()
        await self._note_mentions(TEMPLATE.sub(" ", text), place)
        return "".join((*pieces, text[end:])) if pieces else text

    async def _template_target(self, inside: str) -> Reference | None:
        """Return the reference in braces; ``None`` if there is no such object, so that it is other text.

        Raises:
            ReferenceSyntaxError: There is one, and the path is malformed.
        """
        reference = parse_reference(inside)
        object_id = reference.object_id if reference is not None else next(mentions(inside), ("",))[0]
        if not await self._is_object(object_id):
            self._note(f'"{{{{{excerpt(inside)}}}}}" was passed as it is: there is no object @{excerpt(object_id)}.')
            return None
        return parse_target(inside) if reference is None else reference

    async def _problem_with(self, slip: NearMiss, place: Place) -> str | None:
        """Describe how a text misses an existing reference; ``None`` if it does not."""
        if await self._is_object(slip.object_id):
            if slip.lacks_at:
                self._note(
                    f"{excerpt(slip.bare)} in the argument {_quoted(place)} was passed as text. To pass the value of "
                    f"the stored object, write @{excerpt(slip.bare)}."
                )
                return None
            if slip.is_quoted:
                return f"Write {excerpt(slip.bare)} alone, without quotes, backticks, spaces or punctuation around it."
            if "[*]" in slip.path or "[]" in slip.path:
                return "A path has no wildcard: run a jq filter on the object and pass the reference to its result."
            try:
                parse_target(slip.bare)
            except ValueError as error:
                return str(error)
        near = None if slip.lacks_at else nearest_id(slip.object_id, await self._all_ids())
        return None if near is None else f"Did you mean @{near}{excerpt(slip.path)}?"

    async def _note_mentions(self, text: str, place: Place) -> None:
        for object_id, written, reference in mentions(text):
            if await self._is_object(object_id):
                self._note(
                    f"{written} in the argument {_quoted(place)} was passed as text. To put its text there, write "
                    f"{{{{{reference}}}}}; to pass its value, give the reference alone."
                )

    def _note(self, text: str) -> None:
        if len(self.notes) < MAX_NOTES and text not in self.notes:
            self.notes.append(text)

    async def _is_object(self, object_id: str) -> bool:
        known = self._exists.get(object_id)
        if known is None:
            known = self._exists[object_id] = await self._lookup.exists(object_id)
        return known

    async def _all_ids(self) -> list[str]:
        if self._ids is None:
            self._ids = await self._lookup.ids()
        return self._ids

    # Putting values in

    async def _filled_in(self, value: Any, parts: dict[Place, Any]) -> Any:
        """Put parts in their places; copied is only what is around them."""
        if type(value) is dict and all(len(place) == 1 for place in parts):  # as below, in a third of the time
            return value | {place[0]: part for place, part in parts.items()}
        copies: dict[Place, Any] = {}
        tuples: list[Place] = []
        for number, (place, part) in enumerate(parts.items(), 1):
            _copied(value, place[:-1], copies, tuples)[place[-1]] = part
            if not number % _TURN_EVERY:
                await self._lookup.pause()
        for place in reversed(tuples):  # The inner ones first.
            copies[place] = tuple(copies[place])
            if place:
                copies[place[:-1]][place[-1]] = copies[place]
        return copies[()]


def _copied(value: Any, place: Place, copies: dict[Place, Any], tuples: list[Place]) -> Any:
    """Return the copy of a container, in the copy of the one that it is in; of a tuple as a list."""
    if place not in copies:
        parent = _copied(value, place[:-1], copies, tuples) if place else None
        original = value if parent is None else parent[place[-1]]
        if type(original) is tuple:
            tuples.append(place)
        copy = dict(original) if type(original) is dict else list(original)
        copies[place] = copy
        if parent is not None:
            parent[place[-1]] = copy
    return copies[place]


def _entries(container: Any) -> Iterator[tuple[Any, Any]]:
    return iter(container.items()) if type(container) is dict else enumerate(container)


def _shown(found: Found) -> Any:
    """The value, or a sample of one that stays JSON."""
    if not isinstance(found.value, Spliced):
        return found.value
    if found.sample is not None:
        return found.sample.value
    return {b"{": {}, b"[": [], b'"': ""}.get(bytes(found.value.json[:1]), 0)


def _fits(value: Any, types: Types) -> bool:
    return types == ANY or not types.isdisjoint(types_of_value(value))


def _parsed(text: str) -> Any:
    try:
        return parse_exactly(text)
    except ValueError:
        return _NOT_JSON


def _quoted(place: Place) -> str:
    spelled = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return quoted(spelled.lstrip("."))


def _described(value: Any, found: Found | None = None) -> str:
    if found is not None and isinstance(found.value, Spliced):
        kind = _KINDS.get(type(value), "a number")
        return f"{kind} of {found.size:,} bytes"
    if isinstance(value, dict):
        return f"an object with {counted(len(value), 'key')}"
    if isinstance(value, (list, tuple)):
        return f"an array with {counted(len(value), 'item')}"
    if isinstance(value, str):
        return f"a string, {quoted(value[:400])}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else f"a boolean, {str(value).lower()}"
    kind = "an integer" if isinstance(value, int) else "a number"
    if isinstance(value, int) and value.bit_length() > 1_000:  # noqa: PLR2004  # Python refuses to write it out.
        return f"{kind} with {value.bit_length():,} bits"
    return f"{kind}, {excerpt(str(value))}"
