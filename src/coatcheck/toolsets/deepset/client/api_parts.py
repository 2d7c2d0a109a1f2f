"""What the parts of the API share: validated answers, and lists page by page or as an async iterator."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from coatcheck.errors import field_faults
from coatcheck.toolsets.deepset.client.api_connection import ApiConnection
from coatcheck.toolsets.deepset.client.errors import UnexpectedAnswer

Model = TypeVar("Model", bound=BaseModel)


class Page(BaseModel, Generic[Model]):
    """One page of a list.

    Attributes:
        data: The items.
        has_more: Whether more items follow.
        total: The total number of items, if the platform reports it.
        next_cursor: The value of ``after`` for the next page; ``None`` at the end.
    """

    data: list[Model]
    has_more: bool = False
    total: int | None = None
    next_cursor: str | None = None


def validated(model: type[Model], answer: Any) -> Model:
    """Validate an answer; raises ``UnexpectedAnswer`` if it is invalid; no value is quoted."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        shown = "; ".join(f"{field}: {fault}" if field else fault for field, fault in field_faults(error)[:3])
        raise UnexpectedAnswer(f"The platform's answer is no {model.__name__} as its API promises: {shown}") from None


@dataclass(frozen=True, slots=True)
class Api:
    """A part of the API."""

    connection: ApiConnection

    async def _get(self, model: type[Model], *path: str) -> Model:
        return validated(model, await self.connection.get(*path))

    async def _page(self, model: type[Model], cursor_field: str | None, *path: str, **query: Any) -> Page[Model]:
        """Return a page of a list; the next cursor is a field of the last item, unchanged.

        ``cursor_field`` is ``None`` for a list that does not page. The answer is the bare list, or
        ``{"data": […], "has_more": …, "total": …}``.
        """
        answer = await self.connection.get(*path, query=query)
        given = {"data": answer} if isinstance(answer, list) else answer
        page = validated(Page[model], given)  # type: ignore[valid-type]
        page.next_cursor = None
        if page.has_more and page.data and cursor_field is not None:
            cursor = given["data"][-1].get(cursor_field)
            page.next_cursor = None if cursor is None else str(cursor)
        return page


@dataclass(frozen=True, slots=True)
class WorkspaceApi(Api):
    """A part of the API that belongs to one workspace."""

    workspace: str

    def _path(self, *parts: str) -> tuple[str, ...]:
        return ("v1", "workspaces", self.workspace, *parts)

    async def _id(self, field: str, *path: str) -> str:
        """Look up the id of the workspace or of something in it, for parts of the API that do not accept names."""
        answer = await self.connection.get(*self._path(*path))
        found = answer.get(field) if isinstance(answer, Mapping) else None
        if not isinstance(found, str):
            raise UnexpectedAnswer(f"The platform's answer has no {field}")
        return found


async def all_items(fetch: Callable[[str | None], Awaitable[Page[Model]]]) -> AsyncIterator[Model]:
    """Return the items of all pages; ``fetch`` returns the page after a cursor, the first for ``None``.

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
