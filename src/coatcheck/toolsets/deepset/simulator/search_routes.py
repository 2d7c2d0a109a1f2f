"""The simulator's answers about searches: whole, streamed, histories, traces, debug runs."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from coatcheck.toolsets.deepset.simulator.api_replies import (
    ApiFault,
    Routes,
    filtered,
    json_body,
    not_found,
    page,
    part,
    required,
    route,
)
from coatcheck.toolsets.deepset.simulator.platform_state import (
    PlatformState,
    Record,
    SimulatedPipeline,
    SimulatedWorkspace,
    now,
)
from coatcheck.toolsets.deepset.simulator.sample_data import search_entry, trace_of
from coatcheck.toolsets.deepset.simulator.yaml_validation import check_configuration

ROUTES: Routes = []
_TRACES = "/v2/workspaces/{ws_id}/pipelines/{pipeline_id}/search_history"

DOCUMENTS_FOUND = 10
_WORD = re.compile(r"\w{3,}")
_SORT_FIELDS = {"created_at": "time", "query": "query", "duration": "duration", "feedbacks/score": "feedbacks"}


def _deployed(state: PlatformState, request: Request) -> tuple[SimulatedWorkspace, SimulatedPipeline]:
    workspace = state.workspace(part(request, "ws"))
    pipeline = workspace.pipeline(part(request, "name"))
    state.settle(pipeline)
    if pipeline.record["status"] != "DEPLOYED":
        status = pipeline.record["status"]
        raise ApiFault(424, f"Pipeline '{pipeline.record['name']}' is not deployed; its status is {status}.")
    return workspace, pipeline


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines/{name}/search")
async def _search(state: PlatformState, request: Request) -> Any:
    workspace, pipeline = _deployed(state, request)
    body = await json_body(request)
    queries = body.get("queries")
    if not isinstance(queries, list) or not queries or not all(isinstance(each, str) for each in queries):
        raise ApiFault(422, "The body is incomplete.", [{"message": "This is a list of texts.", "loc": ["queries"]}])
    results = [_searched(workspace, pipeline, query, body) for query in queries]
    return {"query_id": results[0]["query_id"], "results": results}


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines/{name}/search-stream")
async def _search_stream(state: PlatformState, request: Request) -> Any:
    workspace, pipeline = _deployed(state, request)
    body = await json_body(request)
    (query,) = required(body, "query")
    result = _searched(workspace, pipeline, query, body)

    async def events() -> AsyncIterator[bytes]:
        for word in re.findall(r"\S+\s*", result["answers"][0]["answer"]):
            yield _event({"type": "delta", "query_id": result["query_id"], "delta": {"text": word}})
        if body.get("include_result"):
            yield _event({"type": "result", "query_id": result["query_id"], "result": result})

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _searched(
    workspace: SimulatedWorkspace, pipeline: SimulatedPipeline, query: str, body: Mapping[str, Any]
) -> Record:
    documents = _found(workspace.documents, query, body)
    answer = documents[0]["content"] if documents else "No document answers this."
    query_id = str(uuid.uuid4())
    began = now()
    trace = trace_of(pipeline, query_id, query, began, 0.8)
    pipeline.traces.insert(0, trace)
    workspace.history.insert(0, search_entry(trace, pipeline.record["name"], answer))
    pipeline.log("info", f"Answered a query with {len(documents)} documents.", extra_fields={"query_id": query_id})
    result: Record = {
        "query_id": query_id,
        "query": query,
        "answers": [{"answer": answer, "type": "generative", "meta": {"references": [d["id"] for d in documents[:3]]}}],
        "documents": documents,
        "prompts": {"prompt_builder": f"Question: {query}"} if body.get("view_prompts") else None,
    }
    if body.get("debug"):
        result["_debug"] = {"retriever": {"documents": len(documents)}}
    return result


def _found(documents: list[Record], query: str, body: Mapping[str, Any]) -> list[Record]:
    words = set(_WORD.findall(query.lower()))
    filters = body.get("filters")
    top_k = DOCUMENTS_FOUND
    for options in (body.get("params") or {}).values():
        if isinstance(options, Mapping) and isinstance(options.get("top_k"), int):
            top_k = options["top_k"]
    scored = []
    for document in documents:
        if filters and not _fits(document, filters):
            continue
        common = len(words & set(_WORD.findall(str(document["content"]).lower())))
        if common or not words:
            scored.append({**document, "score": round(common / max(len(words), 1), 4)})
    return sorted(scored, key=lambda each: -each["score"])[:top_k]


def _fits(document: Record, condition: Any) -> bool:
    """Apply a filter in Haystack's form: comparisons of metadata, joined by AND and OR."""
    operator = condition.get("operator") if isinstance(condition, Mapping) else None
    if operator in {"AND", "OR"}:
        results = [_fits(document, each) for each in condition.get("conditions", [])]
        return all(results) if operator == "AND" else any(results)
    if operator not in {"==", "!=", "in"} or not isinstance(condition.get("field"), str):
        raise ApiFault(400, "The filters cannot be read.", [{"message": "operator is one of ==, !=, in, AND, OR"}])
    value = document["meta"].get(condition["field"].removeprefix("meta."))
    wanted = condition.get("value")
    if operator == "in":
        return value in (wanted if isinstance(wanted, list) else [wanted])
    return (value == wanted) is (operator == "==")


def _sorted(request: Request, entries: list[Record], fields: Mapping[str, str]) -> list[Record]:
    wanted = request.query_params.get("field", "created_at")
    order = request.query_params.get("order", "DESC")
    if wanted not in fields or order not in {"ASC", "DESC"}:
        raise ApiFault(400, f"field is one of {', '.join(fields)}; order is ASC or DESC.")
    return sorted(
        entries, key=lambda entry: (str(entry[fields[wanted]]), str(entry["query_id"])), reverse=order == "DESC"
    )


@route(ROUTES, "GET", "/v1/workspaces/{ws}/search_history")
async def _workspace_history(state: PlatformState, request: Request) -> Any:
    history = filtered(state.workspace(part(request, "ws")).history, request.query_params.get("filter"))
    return page(request, _sorted(request, history, _SORT_FIELDS), "time")


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines/{name}/search_history_archive")
async def _pipeline_history(state: PlatformState, request: Request) -> Any:
    workspace = state.workspace(part(request, "ws"))
    name = workspace.pipeline(part(request, "name")).record["name"]
    own = [entry for entry in workspace.history if entry["pipeline_name"] == name]
    return page(request, _sorted(request, filtered(own, request.query_params.get("filter")), _SORT_FIELDS), "time")


def _traces(state: PlatformState, request: Request) -> list[Record]:
    workspace = state.workspace_by_id(part(request, "ws_id"))
    pipeline_id = part(request, "pipeline_id")
    for pipeline in workspace.pipelines.values():
        if pipeline.record["pipeline_id"] == pipeline_id:
            return pipeline.traces
    raise not_found("Pipeline", pipeline_id)


def _trace(state: PlatformState, request: Request) -> Record:
    query_id = part(request, "query_id")
    for trace in _traces(state, request):
        if trace["query_id"] == query_id:
            return trace
    raise not_found("Trace", query_id)


@route(ROUTES, "GET", _TRACES + "/traces")
async def _list_traces(state: PlatformState, request: Request) -> Any:
    traces = filtered(_traces(state, request), request.query_params.get("filter"))
    fields = {"created_at": "created_at", "query": "query", "duration": "duration_s", "feedbacks/score": "query_id"}
    return page(request, _sorted(request, traces, fields), "created_at")


@route(ROUTES, "GET", _TRACES + "/{query_id}/trace/export")
async def _export_trace(state: PlatformState, request: Request) -> Any:
    return _trace(state, request)


@route(ROUTES, "GET", _TRACES + "/{query_id}/trace/tags/{span_id}")
async def _span_tags(state: PlatformState, request: Request) -> Any:
    span_id = part(request, "span_id")
    for span in _trace(state, request)["haystack_trace"]["traces"]:
        if span["span_id"] == span_id:
            return {"span_id": span_id, "tags": span["tags"]}
    raise not_found("Span", span_id)


@route(ROUTES, "GET", _TRACES + "/{query_id}/trace/logs")
async def _trace_logs(state: PlatformState, request: Request) -> Any:
    return {"logs": _trace(state, request)["haystack_trace"]["logs"]}


@route(ROUTES, "POST", "/v1/workspaces/{ws}/haystack/pipelines/debug")
async def _debug_pipeline(state: PlatformState, request: Request) -> Any:
    state.workspace(part(request, "ws"))
    body = await json_body(request)
    (text,) = required(body, "pipeline_config")
    components = list(check_configuration(text, "query")["components"])
    break_at = body.get("break_at")
    if isinstance(break_at, Mapping):
        stop = break_at.get("component_name")
        if stop not in components:
            raise ApiFault(400, f"There is no component '{stop}' to stop at.")
        done = components[: components.index(stop)]
        snapshot = {"pipeline_snapshot": {"break_point": break_at, "done": done, "inputs": body.get("inputs", {})}}
        return {"status": "stopped_at_breakpoint", "result": None, "snapshot": snapshot, "stopped_at": break_at}
    if body.get("dry_run"):
        return {"status": "completed", "result": None, "snapshot": None, "stopped_at": None, "trace": []}
    outputs = {component: {"ran": True} for component in components}
    return {
        "status": "completed",
        "result": outputs,
        "snapshot": None,
        "stopped_at": None,
        "trace": [{"component": component, "duration_ms": 12.5} for component in components],
    }
