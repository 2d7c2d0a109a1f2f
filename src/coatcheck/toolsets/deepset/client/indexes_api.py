"""Indexes and templates of a workspace."""

from collections.abc import AsyncIterator
from typing import Any, Literal

from coatcheck.errors import excerpt
from coatcheck.toolsets.deepset.client.api_connection import given
from coatcheck.toolsets.deepset.client.api_parts import Page, WorkspaceApi, all_items
from coatcheck.toolsets.deepset.client.errors import RequestRejected
from coatcheck.toolsets.deepset.client.models import Index, Template, ValidationResult
from coatcheck.toolsets.deepset.client.pipelines_api import validate_yaml

PipelineType = Literal["query", "indexing"]

MAX_TEMPLATES = 1000


class IndexesApi(WorkspaceApi):
    """Indexes of one workspace."""

    async def list(self, *, limit: int = 10, after: str | None = None) -> Page[Index]:
        """Return a page of indexes; ``after`` is the cursor of the previous page."""
        # The API names the cursor `before` here, but it works in the same way.
        return await self._page(Index, "pipeline_index_id", *self._path("indexes"), limit=limit, before=after)

    def iterate(self, *, page_size: int = 50) -> AsyncIterator[Index]:
        """Return all indexes, fetching page by page."""
        return all_items(lambda cursor: self.list(limit=page_size, after=cursor))

    async def get(self, name: str) -> Index:
        """Return an index with its configuration."""
        return await self._get(Index, *self._path("indexes", name))

    async def create(self, name: str, config_yaml: str, *, description: str | None = None) -> Any:
        """Create an index."""
        body = given(name=name, config_yaml=config_yaml, description=description)
        return await self.connection.post(*self._path("indexes"), body=body)

    async def update(self, name: str, *, new_name: str | None = None, config_yaml: str | None = None) -> Any:
        """Rename an index, or change its configuration; omitted parts stay."""
        body = given(name=new_name, config_yaml=config_yaml)
        return await self.connection.patch(*self._path("indexes", name), body=body)

    async def delete(self, name: str) -> None:
        """Delete an index."""
        await self.connection.delete(*self._path("indexes", name))

    async def deploy(self, name: str) -> Any:
        """Start the deployment of an index.

        Raises:
            RequestRejected: The configuration is not valid.
        """
        return await self.connection.post(*self._path("indexes", name, "deploy"), repeatable=True)

    async def validate(self, indexing_yaml: str) -> ValidationResult:
        """Validate a configuration of an index on the platform."""
        return await validate_yaml(self, indexing_yaml=indexing_yaml)


class TemplatesApi(WorkspaceApi):
    """Templates that a workspace offers."""

    async def list(
        self, *, limit: int = 100, pipeline_type: PipelineType | None = None, after: str | None = None
    ) -> Page[Template]:
        """Return templates, the newest first; ``after`` is the cursor of the previous page.

        The API does not page them yet: with a cursor, all are fetched and the page is selected here.
        """
        query = {
            "limit": limit if after is None else MAX_TEMPLATES,
            "field": "created_at",
            "order": "DESC",
            "filter": None if pipeline_type is None else f"pipeline_type eq '{pipeline_type.upper()}'",
        }
        page = await self._page(Template, "pipeline_name", *self._path("pipeline_templates"), **query)
        return page if after is None else _page_after(page, after, limit)

    async def get(self, name: str) -> Template:
        """Return a template with its configuration, by its ``pipeline_name``."""
        return await self._get(Template, *self._path("pipeline_templates", name))


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
