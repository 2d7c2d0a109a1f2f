"""A call that is ready for the server, and what remains to be done with its result."""

from dataclasses import dataclass, field
from typing import Any

from coatcheck.arguments.declared_types import DeclaredTypes
from coatcheck.codec import Chunks
from coatcheck.errors import ArgumentRejected

FILTER = "_filter"
"""The argument of any tool with a jq filter for its result; it is never sent to the server."""

FILTER_SCHEMA = {"type": "string", "description": "jq filter on the result; the whole is kept"}


@dataclass(slots=True)
class PreparedCall:
    """A call whose arguments are ready for the server."""

    arguments: Any  # the arguments with references resolved; the same object if nothing changed
    notes: list[str] = field(default_factory=list)  # notes for the model that follow the result
    filter: str | None = None
    # Parts of large values, which the caller frees; see `coatcheck.codec.free_chunks`.
    chunks: Chunks = field(default_factory=list, repr=False)

    def for_result(self) -> "PreparedCall | None":
        """Return what remains to be done with the result, without the arguments; ``None`` if nothing does."""
        return PreparedCall(None, self.notes, self.filter) if self.notes or self.filter is not None else None


def has_filter(params: Any) -> bool:
    """Whether the parameters of a call have the argument ``_filter``, with any value."""
    arguments = params.get("arguments") if type(params) is dict else None
    return type(arguments) is dict and FILTER in arguments


def without_filter(arguments: Any, declared: DeclaredTypes) -> tuple[Any, str | None]:
    """Remove the filter from the arguments of a call; it stays if the tool declares a parameter of that name.

    Raises:
        ArgumentRejected: The filter is not a string.
    """
    if type(arguments) is not dict or FILTER not in arguments:
        return arguments, None
    if declared.names_property(FILTER):
        return arguments, None
    program = arguments[FILTER]
    if program is not None and not isinstance(program, str):
        raise ArgumentRejected(f'{FILTER} must be a text, a jq filter such as ".items | length".')
    return {name: value for name, value in arguments.items() if name != FILTER}, program or None


def with_filter_parameter(input_schema: dict[str, Any]) -> dict[str, Any]:
    """Add the filter to the parameters of a tool, unless it has one of this name."""
    properties = input_schema.get("properties", {})
    if not isinstance(properties, dict) or DeclaredTypes(input_schema).names_property(FILTER):
        return input_schema
    return {**input_schema, "properties": {**properties, FILTER: dict(FILTER_SCHEMA)}}
