"""Searching with a pipeline: whole answers, streamed answers, histories and traces."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Literal

import anyio
import httpx2
from pydantic_core import from_json

from coatcheck.errors import excerpt
from coatcheck.toolsets.deepset.client.api_connection import given
from coatcheck.toolsets.deepset.client.api_parts import Page, WorkspaceApi, all_items, validated
from coatcheck.toolsets.deepset.client.errors import (
    MESSAGE_CHARACTERS,
    DeepsetError,
    PlatformFailed,
    PlatformTimeout,
    PlatformUnreachable,
    UnexpectedAnswer,
)
from coatcheck.toolsets.deepset.client.models import PipelineTrace, SearchEvent, SearchHistoryEntry, SearchResult

SortField = Literal["created_at", "query", "duration", "feedbacks/score"]
SortOrder = Literal["ASC", "DESC"]


class SearchesApi(WorkspaceApi):
    """Searches in one workspace."""

    async def search(
        self,
        pipeline: str,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        debug: bool = False,
        view_prompts: bool = False,
    ) -> SearchResult:
        """Search with a deployed pipeline."""
        options = given(params=params, filters=filters, debug=debug, view_prompts=view_prompts)
        body = {"queries": [query], **options}
        path = self._path("pipelines", pipeline, "search")
        answer = await self.connection.post(*path, body=body, kind="search", repeatable=True)
        return _search_result(answer)

    async def stream(
        self,
        pipeline: str,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        debug: bool = False,
        view_prompts: bool = False,
    ) -> AsyncGenerator[SearchEvent, None]:
        """Search, and yield parts of the answer as they arrive; the last event has the result.

        Leave the loop early only within ``contextlib.aclosing``, so that the connection is released immediately.

        Raises:
            PlatformFailed: The platform reports an error during the stream.
            PlatformTimeout: The whole search exceeds the timeout of searches.
        """
        options = given(params=params, filters=filters, debug=debug, view_prompts=view_prompts)
        body = {"query": query, "include_result": True, **options}
        path = self._path("pipelines", pipeline, "search-stream")
        ends = anyio.current_time() + self.connection.timeouts.search
        async with self.connection.open_stream(*path, body=body, kind="search") as response:
            lines = _lines(response, ends, self.connection.max_response_bytes)
            async with aclosing(lines):
                async for line in lines:
                    event = _event(line)
                    if event is not None:
                        yield event

    async def history(
        self,
        *,
        pipeline: str | None = None,
        limit: int = 10,
        after: str | None = None,
        query_filter: str | None = None,
        field: SortField | None = None,
        order: SortOrder | None = None,
    ) -> Page[SearchHistoryEntry]:
        """Return a page of the search history of the workspace, or of one pipeline.

        Args:
            pipeline: A pipeline's name; by default the whole workspace.
            limit: Items of the page.
            after: Cursor of the previous page.
            query_filter: OData filter.
            field: The field to sort by.
            order: The sort order.
        """
        query = {"limit": limit, "field": field, "order": order, "after": after, "filter": query_filter}
        path = ("search_history",) if pipeline is None else ("pipelines", pipeline, "search_history_archive")
        return await self._page(SearchHistoryEntry, "time", *self._path(*path), **query)

    def iterate_history(self, *, pipeline: str | None = None, page_size: int = 50) -> AsyncIterator[SearchHistoryEntry]:
        """Return the whole search history, page by page."""
        return all_items(lambda cursor: self.history(pipeline=pipeline, limit=page_size, after=cursor))

    async def traces(
        self,
        pipeline: str,
        *,
        limit: int = 10,
        after: str | None = None,
        query_filter: str | None = None,
        field: SortField | None = None,
        order: SortOrder | None = None,
    ) -> Page[PipelineTrace]:
        """Return a page of a pipeline's runs with their traces."""
        query = {"limit": limit, "field": field, "order": order, "after": after, "filter": query_filter}
        return await self._page(PipelineTrace, "created_at", *await self._traces_path(pipeline, "traces"), **query)

    async def trace(self, pipeline: str, query_id: str) -> Any:
        """Return the whole trace of one run."""
        path = await self._traces_path(pipeline, query_id, "trace", "export")
        return await self.connection.get(*path, kind="trace_export")

    async def trace_span_tags(self, pipeline: str, query_id: str, span_id: str) -> Any:
        """Return the tags of one span: inputs and outputs of a component."""
        return await self.connection.get(*await self._traces_path(pipeline, query_id, "trace", "tags", span_id))

    async def trace_logs(self, pipeline: str, query_id: str) -> Any:
        """Return the log of one run."""
        return await self.connection.get(*await self._traces_path(pipeline, query_id, "trace", "logs"))

    async def _traces_path(self, pipeline: str, *parts: str) -> tuple[str, ...]:
        """Look up both ids concurrently, because this part of the API does not accept names."""
        found: dict[str, str] = {}

        async def look_up(field: str, *path: str) -> None:
            found[field] = await self._id(field, *path)

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look_up, "workspace_id")
                tasks.start_soon(look_up, "pipeline_id", "pipelines", pipeline)
        except* DeepsetError as group:
            raise group.exceptions[0] from None  # the first failure says enough
        workspace, pipeline = found["workspace_id"], found["pipeline_id"]
        return ("v2", "workspaces", workspace, "pipelines", pipeline, "search_history", *parts)


def _search_result(answer: Any) -> SearchResult:
    """Parse a search's response: a list with one result for each query, here one."""
    if isinstance(answer, Mapping) and isinstance(answer.get("results"), list) and answer["results"]:
        outer = {key: value for key, value in answer.items() if key != "results"}
        first = answer["results"][0]
        answer = {**outer, **first} if isinstance(first, Mapping) else answer
    return validated(SearchResult, answer)


async def _lines(response: httpx2.Response, ends: float, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a response as they arrive, until a deadline; fail for more than ``most`` bytes."""
    chunks = response.aiter_bytes()
    rest = bytearray()
    total = 0
    while True:
        try:
            with anyio.fail_after(max(ends - anyio.current_time(), 0.0)):
                chunk = await anext(chunks, None)
        except (TimeoutError, httpx2.TimeoutException):
            raise PlatformTimeout("The platform did not end its answer in time") from None
        except httpx2.TransportError as error:
            raise PlatformUnreachable(f"The answer broke off ({type(error).__name__})") from None
        if chunk is None:
            break
        total += len(chunk)
        if total > most:
            raise UnexpectedAnswer(f"The answer is larger than {most:,} bytes")
        *whole, tail = chunk.split(b"\n")
        for line in whole:
            yield bytes(rest + line)
            rest.clear()
        rest += tail
    if rest:
        yield bytes(rest)


def _event(line: bytes) -> SearchEvent | None:
    if not line.startswith(b"data:"):
        return None  # comments, event names and the empty lines between events
    text = line[len(b"data:") :].strip()
    if text in {b"", b"[DONE]"}:
        return None
    try:
        sent = from_json(text)
    except ValueError:
        raise UnexpectedAnswer("The platform streamed a line that is no JSON") from None
    if isinstance(sent, Mapping) and isinstance(sent.get("result"), Mapping):
        sent = {**sent, "result": _search_result(sent["result"])}
    event = validated(SearchEvent, sent)
    if event.type == "error" or event.error:
        raise PlatformFailed(f"The search failed: {excerpt(str(event.error or 'no reason given'), MESSAGE_CHARACTERS)}")
    return event
