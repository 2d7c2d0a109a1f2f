"""The simulator's answers about indexes and templates."""

from typing import Any

from starlette.requests import Request

from coatcheck.toolsets.deepset.simulator.api_replies import (
    ApiFault,
    Routes,
    json_body,
    not_found,
    page,
    part,
    required,
    route,
)
from coatcheck.toolsets.deepset.simulator.odata_filters import filtered
from coatcheck.toolsets.deepset.simulator.platform_state import PlatformState
from coatcheck.toolsets.deepset.simulator.sample_data import new_index
from coatcheck.toolsets.deepset.simulator.yaml_validation import check_configuration

ROUTES: Routes = []


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
