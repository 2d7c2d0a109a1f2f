"""A call on its way to the server, and what is left to do with its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coatcheck.codec import Chunks
from coatcheck.errors import ArgumentRejected

FILTER = "_filter"
"""The argument of any tool that holds a jq filter for its result; the server never sees it."""

FILTER_SCHEMA = {"type": "string", "description": "jq filter on the result; the whole is kept"}


@dataclass(slots=True)
class PreparedCall:
    """A call whose arguments are ready for the server.

    Attributes:
        arguments: The arguments, references resolved; the same object where nothing had to be done.
        notes: What to tell the model beside the result.
        filter: A jq filter for the result.
        chunks: Parts of large values, for the caller who frees them; see ``coatcheck.codec.free_chunks``.
    """

    arguments: Any
    notes: list[str] = field(default_factory=list)
    filter: str | None = None
    chunks: Chunks = field(default_factory=list, repr=False)

    def for_result(self) -> "PreparedCall | None":
        """Give what is left to do with the result, without the arguments; ``None`` where that is nothing."""
        return PreparedCall(None, self.notes, self.filter) if self.notes or self.filter is not None else None


def has_filter(params: Any) -> bool:
    """Whether the parameters of a call have the argument ``_filter``, whatever it holds."""
    arguments = params.get("arguments") if type(params) is dict else None
    return type(arguments) is dict and FILTER in arguments


def without_filter(arguments: Any, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Take the filter out of the arguments of a call; it stays where the tool has such a parameter itself.

    Raises:
        ArgumentRejected: The filter is no text.
    """
    if type(arguments) is not dict or FILTER not in arguments:
        return arguments, None
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and FILTER in properties:
        return arguments, None
    program = arguments[FILTER]
    if program is not None and not isinstance(program, str):
        raise ArgumentRejected(f'{FILTER} must be a text, a jq filter such as ".items | length".')
    return {name: value for name, value in arguments.items() if name != FILTER}, program or None


def with_filter_parameter(input_schema: dict[str, Any]) -> dict[str, Any]:
    """Add the filter to the parameters of a tool, unless it has one of this name."""
    properties = input_schema.get("properties", {})
    if not isinstance(properties, dict) or FILTER in properties:
        return input_schema
    return {**input_schema, "properties": {**properties, FILTER: dict(FILTER_SCHEMA)}}
