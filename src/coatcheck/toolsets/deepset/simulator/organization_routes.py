"""The simulator's answers about workspaces, users, secrets, models, components and shared prototypes."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from coatcheck.toolsets.deepset.simulator.api_replies import (
    ApiFault,
    Routes,
    json_body,
    not_found,
    number,
    page,
    part,
    required,
    route,
)
from coatcheck.toolsets.deepset.simulator.component_catalog import component_schemas, component_sockets, component_types
from coatcheck.toolsets.deepset.simulator.platform_state import PlatformState, Record
from coatcheck.toolsets.deepset.simulator.sample_data import DOCS_PIPELINE, DOCS_WORKSPACE

ROUTES: Routes = []

SHARE_ID = "8f14e45f-ceea-467f-a0e6-0d5f1c2a7b90"


@route(ROUTES, "GET", "/v1/workspaces")
async def _list_workspaces(state: PlatformState, request: Request) -> Any:
    del request
    return [workspace.record for workspace in state.workspaces.values()]


@route(ROUTES, "POST", "/v1/workspaces")
async def _create_workspace(state: PlatformState, request: Request) -> Any:
    (name,) = required(await json_body(request), "name")
    return state.add_workspace(name).record


@route(ROUTES, "GET", "/v1/workspaces/{ws}")
async def _get_workspace(state: PlatformState, request: Request) -> Any:
    return state.workspace(part(request, "ws")).record


@route(ROUTES, "DELETE", "/v1/workspaces/{ws}")
async def _delete_workspace(state: PlatformState, request: Request) -> Any:
    state.workspace(part(request, "ws"))
    del state.workspaces[part(request, "ws")]


@route(ROUTES, "GET", "/v1/users/{user_id}")
async def _get_user(state: PlatformState, request: Request) -> Any:
    """Return a user, or the one to whom the key belongs."""
    user_id = part(request, "user_id")
    if user_id == "me":
        return request.state.user
    if user_id not in state.users:
        raise not_found("User", user_id)
    return state.users[user_id]


def _public(secret: Record) -> Record:
    return {"name": secret["name"], "secret_id": secret["secret_id"]}


def _secret(state: PlatformState, request: Request) -> Record:
    secret_id = part(request, "id")
    for secret in state.secrets:
        if secret["secret_id"] == secret_id:
            return secret
    raise not_found("Secret", secret_id)


@route(ROUTES, "GET", "/v2/secrets")
async def _list_secrets(state: PlatformState, request: Request) -> Any:
    return page(request, [_public(secret) for secret in state.secrets], "secret_id", "before")


@route(ROUTES, "POST", "/v2/secrets")
async def _create_secret(state: PlatformState, request: Request) -> Any:
    name, value = required(await json_body(request), "name", "secret")
    if any(secret["name"] == name for secret in state.secrets):
        raise ApiFault(409, f"Secret '{name}' exists already.")
    state.secrets.insert(0, {"name": name, "secret_id": str(uuid.uuid4()), "secret": value})


@route(ROUTES, "GET", "/v2/secrets/{id}")
async def _get_secret(state: PlatformState, request: Request) -> Any:
    return _public(_secret(state, request))


@route(ROUTES, "DELETE", "/v2/secrets/{id}")
async def _delete_secret(state: PlatformState, request: Request) -> Any:
    state.secrets.remove(_secret(state, request))


@route(ROUTES, "GET", "/v1/model_registry_tokens")
async def _list_integrations(state: PlatformState, request: Request) -> Any:
    del request
    return state.integrations


@route(ROUTES, "GET", "/v1/model_registry_tokens/{provider}")
async def _get_integration(state: PlatformState, request: Request) -> Any:
    provider = part(request, "provider")
    for integration in state.integrations:
        if integration["provider"] == provider:
            return integration
    raise not_found("Integration", provider)


@route(ROUTES, "GET", "/v2/workspaces/{ws_id}/models")
async def _list_models(state: PlatformState, request: Request) -> Any:
    state.workspace_by_id(part(request, "ws_id"))
    models = state.models
    connected = request.query_params.get("connected")
    if connected is not None:
        models = [model for model in models if str(model["connected"]).lower() == connected]
    limit, page_number = number(request, "limit", 100), number(request, "page_number", 1)
    begin = (page_number - 1) * limit
    return {"data": models[begin : begin + limit], "has_more": begin + limit < len(models), "total": len(models)}


@route(ROUTES, "GET", "/v1/haystack/components")
async def _get_components(state: PlatformState, request: Request) -> Any:
    del state, request
    return component_schemas()


@route(ROUTES, "GET", "/v1/haystack/components/input-output")
async def _get_sockets(state: PlatformState, request: Request) -> Any:
    del state
    if request.query_params.get("domain") != "deepset-cloud":
        raise ApiFault(400, "domain must be deepset-cloud.")
    names = request.query_params.getlist("names")
    return [sockets for name in names if (sockets := component_sockets(name)) is not None]


@route(ROUTES, "POST", "/v1/haystack/components/run")
@route(ROUTES, "POST", "/v1/workspaces/{ws}/haystack/components/run")
async def _run_component(state: PlatformState, request: Request) -> Any:
    if "ws" in request.path_params:
        state.workspace(part(request, "ws"))
    body = await json_body(request)
    (component_type,) = required(body, "component_type")
    if component_type not in component_types():
        raise ApiFault(400, f"There is no component of the type '{component_type}'.")
    given = body.get("input") or {}
    name = component_type.rpartition(".")[2]
    sockets = component_sockets(name) or {}
    missing = [each for each in sockets["input"]["required"] if each not in given]
    if missing and not body.get("init_params"):
        raise ApiFault(400, f"{name} needs the input '{missing[0]}'.")
    outputs = sockets["output"]["properties"]
    return {"output": {each: given.get(each, f"{each} of {name}") for each in outputs}, "input": given}


@route(ROUTES, "GET", "/v2/custom_components")
async def _list_custom_components(state: PlatformState, request: Request) -> Any:
    return page(request, state.custom_components, "custom_component_id", "before")


@route(ROUTES, "GET", "/v2/custom_components/logs")
async def _custom_component_logs(state: PlatformState, request: Request) -> Any:
    del request
    latest = state.custom_components[0]
    return PlainTextResponse("\n".join(f"[{entry['level']}] {entry['msg']}" for entry in latest["logs"]))


def _share(state: PlatformState, request: Request) -> None:
    if part(request, "ws") != DOCS_WORKSPACE:
        raise not_found("Workspace", part(request, "ws"))
    if request.state.key != state.share_token:
        raise ApiFault(403, "Only the share token reads a shared prototype.")


@route(ROUTES, "GET", "/v1/workspaces/{ws}/shared_prototypes/{id}")
async def _get_share(state: PlatformState, request: Request) -> Any:
    _share(state, request)
    if part(request, "id") != SHARE_ID:
        raise not_found("Shared prototype", part(request, "id"))
    return {"shared_prototype_id": SHARE_ID, "pipeline_names": [DOCS_PIPELINE], "login_required": False}


@route(ROUTES, "POST", "/v1/workspaces/{ws}/shared_prototype_users")
async def _create_share_user(state: PlatformState, request: Request) -> Any:
    _share(state, request)
    token = f"user_{uuid.uuid4()}"
    state.share_user_tokens.add(token)
    return {"user_token": token}
