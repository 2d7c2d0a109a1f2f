"""The simulator's answers about pipelines (validating, versions, deploying, logs), indexes and templates."""

from typing import Any

from starlette.requests import Request

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
from coatcheck.toolsets.deepset.simulator.platform_state import PlatformState, Record, SimulatedPipeline, now
from coatcheck.toolsets.deepset.simulator.sample_data import new_index
from coatcheck.toolsets.deepset.simulator.yaml_validation import check_configuration, secrets_named_in

ROUTES: Routes = []


def _pipeline(state: PlatformState, request: Request) -> SimulatedPipeline:
    pipeline = state.workspace(part(request, "ws")).pipeline(part(request, "name"))
    state.settle(pipeline)
    return pipeline


def _user(request: Request) -> Record:
    user: Record = request.state.user
    return user


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipeline_validations")
async def _validate(state: PlatformState, request: Request) -> Any:
    state.workspace(part(request, "ws"))
    body = await json_body(request)
    field = "indexing_yaml" if "indexing_yaml" in body else "query_yaml"
    (text,) = required(body, field)
    check_configuration(text, "indexing" if field == "indexing_yaml" else "query")
    return {"valid": True}


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines")
async def _list_pipelines(state: PlatformState, request: Request) -> Any:
    pipelines = list(state.workspace(part(request, "ws")).pipelines.values())
    for pipeline in pipelines:
        state.settle(pipeline)
    return page(request, [pipeline.record for pipeline in pipelines], "pipeline_id", "before")


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines")
async def _create_pipeline(state: PlatformState, request: Request) -> Any:
    """Create a pipeline; an invalid configuration is kept, as the platform keeps it."""
    workspace = state.workspace(part(request, "ws"))
    name, text = required(await json_body(request), "name", "query_yaml")
    pipeline = state.new_pipeline(workspace, name, _user(request))
    state.new_version(pipeline, text, _user(request), is_draft=True)
    return {"name": name, "pipeline_id": pipeline.record["pipeline_id"]}


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines/{name}")
async def _get_pipeline(state: PlatformState, request: Request) -> Any:
    return _pipeline(state, request).record


@route(ROUTES, "DELETE", "/v1/workspaces/{ws}/pipelines/{name}")
async def _delete_pipeline(state: PlatformState, request: Request) -> Any:
    _pipeline(state, request)
    del state.workspace(part(request, "ws")).pipelines[part(request, "name")]


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines/{name}/versions")
async def _list_versions(state: PlatformState, request: Request) -> Any:
    versions = _pipeline(state, request).versions
    if request.query_params.get("order", "DESC") == "ASC":
        versions = versions[::-1]
    return page(request, versions, "version_id")


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines/{name}/versions")
async def _create_version(state: PlatformState, request: Request) -> Any:
    pipeline = _pipeline(state, request)
    body = await json_body(request)
    (text,) = required(body, "config_yaml")
    draft = bool(body.get("is_draft", True))
    return state.new_version(pipeline, text, _user(request), is_draft=draft, description=body.get("description"))


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines/{name}/versions/{id}")
async def _get_version(state: PlatformState, request: Request) -> Any:
    return _pipeline(state, request).version(part(request, "id"))


@route(ROUTES, "PATCH", "/v1/workspaces/{ws}/pipelines/{name}/versions/{id}")
async def _patch_version(state: PlatformState, request: Request) -> Any:
    version = _pipeline(state, request).version(part(request, "id"))
    body = await json_body(request)
    unknown = body.keys() - {"config_yaml", "is_draft", "description"}
    if unknown:
        raise ApiFault(422, f"A version has no {min(unknown)}.")
    version |= {**body, "updated_at": now(), "updated_by": _user(request)}
    return version


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines/{name}/versions/{id}/restore")
async def _restore_version(state: PlatformState, request: Request) -> Any:
    pipeline = _pipeline(state, request)
    version = pipeline.version(part(request, "id"))
    description = f"Restored from version {version['version_number']}"
    return state.new_version(pipeline, version["config_yaml"], _user(request), is_draft=True, description=description)


@route(ROUTES, "POST", "/v1/workspaces/{ws}/pipelines/{name}/deploy")
async def _deploy_pipeline(state: PlatformState, request: Request) -> Any:
    """Deploy a pipeline: the configuration is checked at once, its secrets when it starts."""
    pipeline = _pipeline(state, request)
    version_id = (await json_body(request)).get("pipeline_version_id") or pipeline.versions[0]["version_id"]
    version = pipeline.version(version_id)
    parsed = check_configuration(version["config_yaml"], "query")
    missing = sorted(secrets_named_in(parsed) - {secret["name"] for secret in state.secrets})
    failure = f"The secret {missing[0]} is not set; add it, then deploy again." if missing else None
    pipeline.record |= {"status": "DEPLOYMENT_IN_PROGRESS", "deployed_version_id": version_id}
    pipeline.deploying = (state.clock() + state.deploy_seconds, version_id, failure)
    pipeline.log("info", f"Deploying version {version['version_number']}.")
    return {"status": "DEPLOYMENT_IN_PROGRESS"}


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipelines/{name}/logs")
async def _list_logs(state: PlatformState, request: Request) -> Any:
    logs = filtered(_pipeline(state, request).logs, request.query_params.get("filter"))
    return page(request, logs, "logged_at")


@route(ROUTES, "GET", "/v1/workspaces/{ws}/indexes")
async def _list_indexes(state: PlatformState, request: Request) -> Any:
    indexes = list(state.workspace(part(request, "ws")).indexes.values())
    return page(request, indexes, "pipeline_index_id", "before")


@route(ROUTES, "POST", "/v1/workspaces/{ws}/indexes")
async def _create_index(state: PlatformState, request: Request) -> Any:
    workspace = state.workspace(part(request, "ws"))
    body = await json_body(request)
    name, config_yaml = required(body, "name", "config_yaml")
    if name in workspace.indexes:
        raise ApiFault(409, f"Index '{name}' exists already.")
    check_configuration(config_yaml, "indexing")
    index = new_index(workspace, name, config_yaml, body.get("description"))
    workspace.indexes = {name: index, **workspace.indexes}
    return index


@route(ROUTES, "GET", "/v1/workspaces/{ws}/indexes/{name}")
async def _get_index(state: PlatformState, request: Request) -> Any:
    return state.workspace(part(request, "ws")).index(part(request, "name"))


@route(ROUTES, "PATCH", "/v1/workspaces/{ws}/indexes/{name}")
async def _patch_index(state: PlatformState, request: Request) -> Any:
    workspace = state.workspace(part(request, "ws"))
    index = workspace.index(part(request, "name"))
    body = await json_body(request)
    unknown = body.keys() - {"name", "config_yaml"}
    if unknown:
        raise ApiFault(422, f"An index has no {min(unknown)} to change.")
    if "config_yaml" in body:
        check_configuration(body["config_yaml"], "indexing")
    if body.get("name", index["name"]) != index["name"]:
        if body["name"] in workspace.indexes:
            raise ApiFault(409, f"Index '{body['name']}' exists already.")
        del workspace.indexes[index["name"]]
        workspace.indexes[body["name"]] = index
    index |= body
    return index


@route(ROUTES, "DELETE", "/v1/workspaces/{ws}/indexes/{name}")
async def _delete_index(state: PlatformState, request: Request) -> Any:
    workspace = state.workspace(part(request, "ws"))
    del workspace.indexes[workspace.index(part(request, "name"))["name"]]


@route(ROUTES, "POST", "/v1/workspaces/{ws}/indexes/{name}/deploy")
async def _deploy_index(state: PlatformState, request: Request) -> Any:
    index = state.workspace(part(request, "ws")).index(part(request, "name"))
    check_configuration(index["config_yaml"], "indexing")
    index["desired_status"] = "DEPLOYED"
    return {"status": "DEPLOYED"}


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipeline_templates")
async def _list_templates(state: PlatformState, request: Request) -> Any:
    templates = list(state.workspace(part(request, "ws")).templates.values())
    templates = filtered(templates, request.query_params.get("filter"))
    if request.query_params.get("order", "DESC") == "ASC":
        templates = templates[::-1]
    return page(request, templates, None)


@route(ROUTES, "GET", "/v1/workspaces/{ws}/pipeline_templates/{name}")
async def _get_template(state: PlatformState, request: Request) -> Any:
    name = part(request, "name")
    found = state.workspace(part(request, "ws")).templates.get(name)
    if found is None:
        raise not_found("Template", name)
    return found
