"""Lists of the platform, page by page or as an async iterator."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from coatcheck.toolsets.deepset.client.api_connection import validated
from coatcheck.toolsets.deepset.client.errors import UnexpectedAnswer

Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """One page of a list.

    Attributes:
        data: The items.
        has_more: Whether more items follow.
        total: The total number of items, if the platform reports it.
        next_cursor: The value of ``after`` for the next page; ``None`` at the end.
    """

    data: list[Item]
    has_more: bool = False
    total: int | None = None
    next_cursor: str | None = None


def page_of(model: type[Item], answer: Any, cursor_field: str | None) -> Page[Item]:
    """Create a page from a response; the next cursor is a field of the last item, unchanged.

    Args:
        model: The items' model.
        answer: ``{"data": […], "has_more": …, "total": …}``, or the bare list.
        cursor_field: Which field of an item is its cursor; ``None`` for a list that does not page.

    Raises:
        UnexpectedAnswer: It is not a list, or its items are invalid.
    """
    given = {"data": answer} if isinstance(answer, list) else answer
    page: Page[Item] = validated(_adapter(model), given, f"a list of {model.__name__}")
    page.next_cursor = None
    if page.has_more and page.data and cursor_field is not None:
        cursor = given["data"][-1].get(cursor_field)
        page.next_cursor = None if cursor is None else str(cursor)
    return page


@cache
def _adapter(model: type[BaseModel]) -> TypeAdapter[Any]:
    return TypeAdapter(Page[model])  # type: ignore[valid-type]


async def all_items(fetch: Callable[[str | None], Awaitable[Page[Item]]]) -> AsyncIterator[Item]:
    """Return the items of all pages.

    Args:
        fetch: Returns the page after a cursor; ``None`` is the first.

    Raises:
        UnexpectedAnswer: The platform returns the same cursor twice, so that the list would not end.
    """
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        page = await fetch(cursor)
        for item in page.data:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return
        if cursor in seen:
            raise UnexpectedAnswer("The platform's list does not end: it gave the same page twice")
        seen.add(cursor)
