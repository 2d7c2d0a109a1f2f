"""Tools that search with a pipeline and look back: histories and traces."""

from typing import Annotated, Any

from pydantic import Field

from coatcheck.toolsets.deepset.client import DeepsetClient
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.client.searches_api import SortField, SortOrder
from coatcheck.toolsets.deepset.tools.parameters import (
    READS,
    After,
    Limit,
    PipelineName,
    Query,
    QueryId,
    Workspace,
    deepset_tool,
    shown,
)

_WHERE = "list_pipelines names the pipelines; list_workspaces names the workspaces."
_WHERE_TRACES = "list_pipeline_traces names the runs of a pipeline; get_pipeline_trace names the spans of one."

QueryFilter = Annotated[
    str | None, Field(description="OData filter, such as contains(query,'invoice') or duration gt 5.")
]
Sort = Annotated[SortField | None, Field(description="What to sort by.")]
Order = Annotated[SortOrder | None, Field(description="Which way; by default DESC, the newest first.")]


@deepset_tool(READS, _WHERE)
async def search_pipeline(
    pipeline_name: PipelineName, query: Query, workspace: Workspace, *, client: DeepsetClient
) -> dict[str, Any]:
    """Search with a deployed pipeline: answers and the documents they are from."""
    return sent(await client.workspace(workspace).searches.search(pipeline_name, query))


@deepset_tool(READS, _WHERE)
async def search_pipeline_with_filters(
    pipeline_name: PipelineName,
    query: Query,
    filters: Annotated[
        dict[str, Any],
        Field(description='Haystack filters: {"field": "meta.category", "operator": "==", "value": "billing"}.'),
    ],
    workspace: Workspace,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Search with a deployed pipeline among the documents whose metadata fit filters."""
    return sent(await client.workspace(workspace).searches.search(pipeline_name, query, filters=filters))


@deepset_tool(READS, _WHERE)
async def search_pipeline_with_params(
    pipeline_name: PipelineName,
    query: Query,
    params: Annotated[dict[str, Any], Field(description='Parameters by component: {"retriever": {"top_k": 3}}.')],
    workspace: Workspace,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Search with a deployed pipeline and other parameters of its components, for this search alone."""
    return sent(await client.workspace(workspace).searches.search(pipeline_name, query, params=params))


@deepset_tool(READS, _WHERE)
async def list_search_history(
    workspace: Workspace,
    limit: Limit = 20,
    after: After = None,
    query_filter: QueryFilter = None,
    sort_field: Sort = None,
    sort_order: Order = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """List the searches made in the workspace, with all pipelines: query, answer, duration, feedback."""
    page = await client.workspace(workspace).searches.history(
        limit=limit, after=after, query_filter=query_filter, field=sort_field, order=sort_order
    )
    return shown(page)


@deepset_tool(READS, _WHERE)
async def list_pipeline_search_history(
    pipeline_name: PipelineName,
    workspace: Workspace,
    limit: Limit = 20,
    after: After = None,
    query_filter: QueryFilter = None,
    sort_field: Sort = None,
    sort_order: Order = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """List the searches made with one pipeline: query, answer, duration, feedback."""
    page = await client.workspace(workspace).searches.history(
        pipeline=pipeline_name,
        limit=limit,
        after=after,
        query_filter=query_filter,
        field=sort_field,
        order=sort_order,
    )
    return shown(page)


@deepset_tool(READS, _WHERE)
async def list_pipeline_traces(
    pipeline_name: PipelineName,
    workspace: Workspace,
    limit: Limit = 10,
    after: After = None,
    query_filter: QueryFilter = None,
    sort_field: Sort = None,
    sort_order: Order = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """List the runs of a pipeline with their traces: which component took how long, and what failed."""
    page = await client.workspace(workspace).searches.traces(
        pipeline_name, limit=limit, after=after, query_filter=query_filter, field=sort_field, order=sort_order
    )
    return shown(page)


@deepset_tool(READS, _WHERE_TRACES)
async def get_pipeline_trace(
    pipeline_name: PipelineName, query_id: QueryId, workspace: Workspace, *, client: DeepsetClient
) -> Any:
    """Show the whole trace of one run, with its spans, logs and failure."""
    return await client.workspace(workspace).searches.trace(pipeline_name, query_id)


@deepset_tool(READS, _WHERE_TRACES)
async def get_pipeline_trace_span_tags(
    pipeline_name: PipelineName,
    query_id: QueryId,
    span_id: Annotated[str, Field(description="span_id of the span; get_pipeline_trace shows it.")],
    workspace: Workspace,
    *,
    client: DeepsetClient,
) -> Any:
    """Show the tags of one span of a run: what a component was given and what it gave."""
    return await client.workspace(workspace).searches.trace_span_tags(pipeline_name, query_id, span_id)


@deepset_tool(READS, _WHERE_TRACES)
async def get_pipeline_trace_logs(
    pipeline_name: PipelineName, query_id: QueryId, workspace: Workspace, *, client: DeepsetClient
) -> Any:
    """Show what was logged during one run."""
    return await client.workspace(workspace).searches.trace_logs(pipeline_name, query_id)
