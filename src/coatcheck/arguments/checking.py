"""Whether what references lead to fits a tool's own schema, said so that a model can act on it."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coatcheck.arguments.schemas import Schema
from coatcheck.codec.characters import weigh
from coatcheck.errors import ArgumentRejected, counted, excerpt
from coatcheck.explorer import Found

CHECKED_AT_ONCE = 20_000
"""Characters of arguments up to which they are checked on the event loop, not in a thread."""

COMBINED = ("anyOf", "oneOf", "allOf")
_AT_PARENTS = frozenset({*COMBINED, "not"})
_LOOKS_INSIDE = frozenset({*_AT_PARENTS, "if", "contains", "enum", "const", "uniqueItems", "dependentSchemas"})

Place = tuple[str | int, ...]
"""Where in the arguments something is: keys and positions, from outside to inside."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A reference in the arguments, and what it stands for.

    Attributes:
        text: The reference as it was written.
        found: What it leads to.
        cut: Places in the arguments where a sample of it leaves something out.
    """

    text: str
    found: Found
    cut: frozenset[Place] = field(default=frozenset())

    @property
    def sample(self) -> Any:
        """The value, or a sample of a large one."""
        return self.found.value if self.found.sample is None else self.found.sample.value


async def check(arguments: Any, schema: Schema, places: Mapping[Place, Resolved]) -> None:
    """Check arguments in which values or samples of them stand in the place of references.

    Raises:
        ArgumentRejected: One of these does not fit the schema; faults elsewhere are for the tool to find.
    """
    # In a thread the first time too: importing the validator takes a tenth of a second.
    if "jsonschema.validators" not in sys.modules or weigh(arguments, CHECKED_AT_ONCE) > CHECKED_AT_ONCE:
        fault = await asyncio.to_thread(_first_fault, arguments, schema, places)
    else:
        fault = _first_fault(arguments, schema, places)
    if fault is not None:
        raise ArgumentRejected(fault)


def _first_fault(arguments: Any, schema: Schema, places: Mapping[Place, Resolved]) -> str | None:
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
        around = _by_what_is_around(places)
        for error in errors:
            place = tuple(error.absolute_path)
            suspects = [place[:depth] for depth in range(len(place) + 1) if place[:depth] in places]
            if error.validator in _AT_PARENTS:
                suspects += around.get(place, ())
            for resolved in suspects:
                if not _may_be_the_samples(error, place, places[resolved].cut):
                    return _describe(error, resolved, places[resolved].text)
    except (SchemaError, Unresolvable, RecursionError):
        return None  # The server that owns the schema will judge.
    return None


def _by_what_is_around(places: Mapping[Place, Resolved]) -> dict[Place, list[Place]]:
    found: dict[Place, list[Place]] = {}
    for place in places:
        for depth in range(len(place)):
            found.setdefault(place[:depth], []).append(place)
    return found


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
