"""Responses of the simulator: routes, errors in the API's form, pages and filters of lists, parts of requests."""

import operator
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

MAX_LIMIT = 1000

Handler = Callable[[Any, Request], Awaitable[Any]]
"""Returns the answer to a request, given the state of the platform."""

Routes = list[tuple[str, str, Handler]]
"""Method, path, handler."""

Item = dict[str, Any]

# The part of OData's filter language that the API is used with: comparisons, `contains`, joined by `and`.
_COMPARISON = re.compile(r"([\w/]{1,64}) (eq|ne|gt|ge|lt|le) (?:'((?:[^']|''){0,500})'|(-?\d{1,15}(?:\.\d{1,9})?))")
_CONTAINS = re.compile(r"contains\(([\w/]{1,64}), ?'((?:[^']|''){0,500})'\)")


def route(routes: Routes, method: str, path: str) -> Callable[[Handler], Handler]:
    """Add a handler to the routes of its module."""

    def add(handler: Handler) -> Handler:
        routes.append((method, path, handler))
        return handler

    return add


class ApiFault(Exception):
    """An answer that reports an error.

    Attributes:
        status: The HTTP status.
        message: What the API says.
        details: What else it says.
    """

    def __init__(self, status: int, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


def not_found(kind: str, name: str) -> ApiFault:
    """Create the answer for something that does not exist."""
    return ApiFault(404, f"{kind} '{name}' not found.")


def part(request: Request, name: str) -> str:
    """Return a part of the path, decoded; the router sees it encoded, so that a name may have slashes."""
    return unquote(request.path_params[name])


async def json_body(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object, empty without a body; raises ``ApiFault`` if it is anything else."""
    if not await request.body():
        return {}
    try:
        body = await request.json()
    except ValueError:
        raise ApiFault(400, "The body is no JSON.") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ApiFault(400, "The body is no JSON object.")
    return body


def required(body: Mapping[str, Any], *names: str) -> list[Any]:
    """Return fields of a body that must be there, as texts; raises ``ApiFault`` if one is missing or no text."""
    missing = [name for name in names if not isinstance(body.get(name), str) or not body[name]]
    if missing:
        details = [{"code": "missing", "message": "This field is required.", "json_pointer": f"/{n}"} for n in missing]
        raise ApiFault(422, "The body is incomplete.", details)
    return [body[name] for name in names]


def number(request: Request, name: str, default: int, most: int = MAX_LIMIT) -> int:
    """Read a positive number of the query string; raises ``ApiFault`` if it is none."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise ApiFault(400, f"{name} must be a number from 1 to {most}.")
    return int(text)


def page(request: Request, items: Sequence[Mapping[str, Any]], field: str | None, cursor: str = "after") -> Any:
    """Return the requested page of a list.

    ``field`` is the field of an item that is its cursor, ``None`` for a list that does not page.

    Raises:
        ApiFault: A limit or a cursor that does not fit.
    """
    limit = number(request, "limit", 10)
    begin = 0
    given = request.query_params.get(cursor)
    if field is not None and given is not None:
        places = [place for place, item in enumerate(items) if str(item.get(field)) == given]
        if not places:
            raise ApiFault(400, f"{cursor} is not a cursor of this list.")
        begin = places[0] + 1
    return {"data": items[begin : begin + limit], "has_more": begin + limit < len(items), "total": len(items)}


def filtered(items: Sequence[Item], text: str | None) -> list[Item]:
    """Return the items that fit a filter; texts are compared without regard to case.

    Raises:
        ApiFault: The filter cannot be read.
    """
    if not text:
        return list(items)
    tests = [_test(part.strip()) for part in text.split(" and ")]
    return [item for item in items if all(test(item) for test in tests)]


def _test(text: str) -> Callable[[Item], bool]:
    contains = _CONTAINS.fullmatch(text)
    if contains:
        field, wanted = contains[1], contains[2].replace("''", "'").lower()
        return lambda item: wanted in str(_value(item, field)).lower()
    comparison = _COMPARISON.fullmatch(text)
    if comparison is None:
        raise ApiFault(400, f"The filter cannot be read at: {text[:100]}")
    field, compares = comparison[1], getattr(operator, comparison[2])
    if comparison[3] is not None:
        right_text = comparison[3].replace("''", "'").lower()
        return lambda item: compares(str(_value(item, field)).lower(), right_text)
    right = float(comparison[4])

    def compare(item: Item) -> bool:
        left = _value(item, field)
        return isinstance(left, (int, float)) and compares(left, right)

    return compare


def _value(item: Any, field: str) -> Any:
    for key in field.split("/"):
        item = item.get(key) if isinstance(item, Mapping) else None
    return item
