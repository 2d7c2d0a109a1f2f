"""Tools for workspaces, secrets, models, and the components that pipelines are made of."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from coatcheck.toolsets.deepset.client import DeepsetClient, NotFound
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.text_ranking import Ranker
from coatcheck.toolsets.deepset.tools.parameters import (
    CREATES,
    READS,
    RUNS,
    After,
    Limit,
    Query,
    TopK,
    Workspace,
    deepset_tool,
    shown,
)

_WHERE = "list_workspaces names the workspaces."
_WHERE_COMPONENTS = "search_component_definitions finds components; list_component_families names their kinds."


@deepset_tool(READS, _WHERE)
async def list_workspaces(*, client: DeepsetClient) -> dict[str, Any]:
    """List the workspaces that the API key may see."""
    return shown(await client.workspaces.list())


@deepset_tool(READS, _WHERE)
async def get_workspace(
    workspace_name: Annotated[str, Field(description="Name of the workspace.")], *, client: DeepsetClient
) -> dict[str, Any]:
    """Show a workspace: its id, languages and idle timeout."""
    return sent(await client.workspaces.get(workspace_name))


@deepset_tool(CREATES, _WHERE)
async def create_workspace(
    name: Annotated[str, Field(description="Name of the new workspace.")], *, client: DeepsetClient
) -> Any:
    """Create a workspace."""
    return await client.workspaces.create(name) or {"created": True, "name": name}


@deepset_tool(READS, "list_secrets names the secrets.")
async def list_secrets(limit: Limit = 20, after: After = None, *, client: DeepsetClient) -> dict[str, Any]:
    """List the names and ids of the secrets that pipelines can refer to, and the integrations; never their values."""
    secrets = shown(await client.secrets.list(limit=limit, after=after))
    if after is None:
        secrets["integrations"] = [sent(each) for each in await client.integrations.list()]
    return secrets


@deepset_tool(READS, "list_secrets names the secrets.")
async def get_secret(
    secret_id: Annotated[str, Field(description="secret_id of the secret; list_secrets shows it.")],
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Show the name and id of a secret; never its value."""
    return sent(await client.secrets.get(secret_id))


@deepset_tool(READS, _WHERE)
async def get_models(
    workspace: Workspace,
    limit: Limit = 100,
    page_number: Annotated[int, Field(ge=1, description="The page, from 1.")] = 1,
    connected: Annotated[
        bool | None, Field(description="Only models with (true) or without (false) a working integration.")
    ] = None,
    provider: Annotated[str | None, Field(description="Only models of this provider.")] = None,
    model: Annotated[str | None, Field(description="Only models whose name has this text in it.")] = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """List the language models that pipelines of the workspace can use, with their parameters."""
    page = await client.workspace(workspace).models.list(
        limit=limit, page_number=page_number, connected=connected, provider=provider, model=model
    )
    return shown(page)


ComponentType = Annotated[
    str, Field(description='Full type, such as "haystack.components.builders.prompt_builder.PromptBuilder".')
]


@deepset_tool(READS, _WHERE_COMPONENTS)
async def list_component_families(*, client: DeepsetClient) -> dict[str, Any]:
    """List the kinds of components that pipelines are made of, each with its description and its components."""
    families: dict[str, dict[str, Any]] = {}
    for schema in (await client.components.schema()).values():
        kind = _kind(schema)
        family = families.setdefault(
            str(kind.get("family", "other")), {"description": kind.get("family_description"), "components": []}
        )
        family["components"].append(kind.get("const"))
    return dict(sorted(families.items()))


@deepset_tool(READS, _WHERE_COMPONENTS)
async def get_component_definition(component_type: ComponentType, *, client: DeepsetClient) -> dict[str, Any]:
    """Show a component: description, init parameters with types and defaults, inputs and outputs."""
    schema = _find(await client.components.schema(), component_type)
    definition = _definition(schema)
    try:
        sockets = await client.components.input_output(component_type.rpartition(".")[2])
    except NotFound:  # custom components may have none that are known
        return definition
    return {**definition, "input": sockets.get("input"), "output": sockets.get("output")}


@deepset_tool(READS, _WHERE_COMPONENTS)
async def search_component_definitions(
    query: Query, top_k: TopK = 5, *, client: DeepsetClient, ranker: Ranker
) -> dict[str, Any]:
    """Find components for a task by keywords; get_component_definition shows inputs and outputs of one."""
    definitions = [_definition(schema) for schema in (await client.components.schema()).values()]
    texts = [
        f"{each['type']}\n{each['name']}\n{each['family']}\n{each['description']}\n{' '.join(each['init_parameters'])}"
        for each in definitions
    ]
    ranked = await ranker.rank(query, texts, top_k)
    return {"data": [{**definitions[place], "score": round(score, 3)} for place, score in ranked]}


@deepset_tool(READS, _WHERE_COMPONENTS)
async def get_custom_components(*, client: DeepsetClient) -> dict[str, Any]:
    """List the organization's own components with their definitions and package versions."""
    found = [
        {**_definition(schema), "package_version": schema["package_version"]}
        for schema in (await client.components.schema()).values()
        if "package_version" in schema
    ]
    return {"data": found, "total": len(found)}


@deepset_tool(RUNS, _WHERE_COMPONENTS, takes_references=True)
async def run_component(
    component_type: ComponentType,
    init_params: Annotated[dict[str, Any] | None, Field(description="Its init parameters.")] = None,
    input_data: Annotated[dict[str, Any] | None, Field(description="Its inputs.")] = None,
    input_types: Annotated[
        dict[str, str] | None, Field(description="Types of inputs where the platform cannot know them.")
    ] = None,
    *,
    client: DeepsetClient,
) -> Any:
    """Run one component and show its outputs, to try parameters out."""
    return await client.components.run(component_type, init_params, input_data, input_types=input_types)


@deepset_tool(READS, _WHERE)
async def list_custom_component_installations(
    workspace: Workspace, limit: Limit = 20, after: After = None, *, client: DeepsetClient
) -> dict[str, Any]:
    """List the installations of the organization's own components: status, version, log.

    They belong to the whole organization; the workspace has to exist.
    """
    await client.workspaces.get(workspace)
    return shown(await client.custom_components.list(limit=limit, after=after))


@deepset_tool(READS, _WHERE)
async def get_latest_custom_component_installation_logs(workspace: Workspace, *, client: DeepsetClient) -> str:
    """Read the log of the latest installation of the organization's own components.

    It belongs to the whole organization; the workspace has to exist.
    """
    await client.workspaces.get(workspace)
    return await client.custom_components.latest_logs()


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _kind(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = _properties(schema).get("type")
    return kind if isinstance(kind, Mapping) else {}


def _find(schemas: Mapping[str, Mapping[str, Any]], component_type: str) -> Mapping[str, Any]:
    for name, schema in schemas.items():
        if component_type in {_kind(schema).get("const"), name}:
            return schema
    raise NotFound(f"There is no component of the type {component_type[:200]!r}")


def _definition(schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = _kind(schema)
    parameters = _properties(schema).get("init_parameters")
    required = parameters.get("required") if isinstance(parameters, Mapping) else None
    return {
        "type": kind.get("const"),
        "name": schema.get("title"),
        "family": kind.get("family"),
        "description": schema.get("description"),
        "init_parameters": dict(_properties(parameters)),
        "required": required or [],
    }
