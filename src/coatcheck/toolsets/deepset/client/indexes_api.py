"""Indexes and templates of a workspace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from coatcheck.errors import excerpt
from coatcheck.toolsets.deepset.client.api_connection import ApiConnection, Query, validated
from coatcheck.toolsets.deepset.client.errors import RequestRejected
from coatcheck.toolsets.deepset.client.models import Index, Template, ValidationResult
from coatcheck.toolsets.deepset.client.pagination import Page, all_items, page_of
from coatcheck.toolsets.deepset.client.pipelines_api import validate_yaml

PipelineType = Literal["query", "indexing"]

MAX_TEMPLATES = 1000

_INDEX: TypeAdapter[Index] = TypeAdapter(Index)
_TEMPLATE: TypeAdapter[Template] = TypeAdapter(Template)


@dataclass(frozen=True, slots=True)
class IndexesApi:
    """Indexes of one workspace.

    Attributes:
        connection: Sends the requests.
        workspace: The workspace's name.
    """

    connection: ApiConnection
    workspace: str

    def _path(self, *parts: str) -> tuple[str, ...]:
        return ("v1", "workspaces", self.workspace, "indexes", *parts)

    async def list(self, *, limit: int = 10, after: str | None = None) -> Page[Index]:
        """Return a page of indexes; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        answer = await self.connection.get(*self._path(), query={"limit": limit, "before": after})
        return page_of(Index, answer, "pipeline_index_id")

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Index]:
        """Return all indexes, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, name: str) -> Index:
        """Return an index with its configuration."""
        return _index(await self.connection.get(*self._path(name)))

    async def create(self, name: str, config_yaml: str, *, description: str | None = None) -> Any:
        """Create an index."""
        body = {"name": name, "config_yaml": config_yaml}
        if description is not None:
            body["description"] = description
        return await self.connection.post(*self._path(), body=body)

    async def update(self, name: str, *, new_name: str | None = None, config_yaml: str | None = None) -> Any:
        """Rename an index, or change its configuration; omitted parts stay."""
        given = {"name": new_name, "config_yaml": config_yaml}
        body = {key: value for key, value in given.items() if value is not None}
        return await self.connection.patch(*self._path(name), body=body)

    async def delete(self, name: str) -> None:
        """Delete an index."""
        await self.connection.delete(*self._path(name))

    async def deploy(self, name: str) -> Any:
        """Start the deployment of an index.

        Raises:
            RequestRejected: The configuration is not valid.
        """
        return await self.connection.post(*self._path(name, "deploy"), repeatable=True)

    async def validate(self, indexing_yaml: str) -> ValidationResult:
        """Validate a configuration of an index on the platform."""
        return await validate_yaml(self.connection, self.workspace, {"indexing_yaml": indexing_yaml})


@dataclass(frozen=True, slots=True)
class TemplatesApi:
    """Templates that a workspace offers.

    Attributes:
        connection: Sends the requests.
        workspace: The workspace's name.
    """

    connection: ApiConnection
    workspace: str

    def _path(self, *parts: str) -> tuple[str, ...]:
        return ("v1", "workspaces", self.workspace, "pipeline_templates", *parts)

    async def list(
        self, *, limit: int = 100, pipeline_type: PipelineType | None = None, after: str | None = None
    ) -> Page[Template]:
        """Return templates, the newest first; ``after`` is the cursor of the previous page.

        The API does not page them yet: with a cursor, all are fetched and the page is selected here.
        """
        query: Query = {
            "limit": limit if after is None else MAX_TEMPLATES,
            "field": "created_at",
            "order": "DESC",
            "filter": None if pipeline_type is None else f"pipeline_type eq '{pipeline_type.upper()}'",
        }
        page = page_of(Template, await self.connection.get(*self._path(), query=query), "pipeline_name")
        return page if after is None else _page_after(page, after, limit)

    async def get(self, name: str) -> Template:
        """Return a template with its configuration, by its ``pipeline_name``."""
        template: Template = validated(_TEMPLATE, await self.connection.get(*self._path(name)), "a template")
        return template


def _index(answer: Any) -> Index:
    index: Index = validated(_INDEX, answer, "an index")
    return index


def _page_after(page: Page[Template], cursor: str, limit: int) -> Page[Template]:
    names = [template.pipeline_name for template in page.data]
    if cursor not in names:
        raise RequestRejected(f"There is no template {excerpt(cursor)!r} to go on behind")
    begin = names.index(cursor) + 1
    cut = page.data[begin : begin + limit]
    has_more = begin + limit < len(names)
    return Page[Template](
        data=cut,
        has_more=has_more,
        total=page.total,
        next_cursor=cut[-1].pipeline_name if has_more and cut else None,
    )
