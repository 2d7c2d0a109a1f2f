"""Tools for workspaces, secrets and models."""

from typing import Annotated, Any

from pydantic import Field

from coatcheck.toolsets.deepset.client import DeepsetClient
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.tools.parameters import After, Limit, Workspace, answer, shown
from coatcheck.toolsets.deepset.tools.tool_errors import advised

_WHERE = "list_workspaces names the workspaces."


@advised(_WHERE)
async def list_workspaces(*, client: DeepsetClient) -> dict[str, Any]:
    """List the workspaces that the API key may see."""
    return shown(await client.workspaces.list())


@advised(_WHERE)
async def get_workspace(
    workspace_name: Annotated[str, Field(description="Name of the workspace.")], *, client: DeepsetClient
) -> dict[str, Any]:
    """Show a workspace: its id, languages and idle timeout."""
    return sent(await client.workspaces.get(workspace_name))


@advised(_WHERE, writes=True)
async def create_workspace(
    name: Annotated[str, Field(description="Name of the new workspace.")], *, client: DeepsetClient
) -> Any:
    """Create a workspace."""
    return answer(await client.workspaces.create(name)) or {"created": True, "name": name}


@advised("list_secrets names the secrets.")
async def list_secrets(limit: Limit = 20, after: After = None, *, client: DeepsetClient) -> dict[str, Any]:
    """List the names and ids of the secrets that pipelines can refer to, and the integrations; never their values."""
    secrets = shown(await client.secrets.list(limit=limit, after=after))
    if after is None:
        secrets["integrations"] = [sent(each) for each in await client.integrations.list()]
    return secrets


@advised("list_secrets names the secrets.")
async def get_secret(
    secret_id: Annotated[str, Field(description="secret_id of the secret; list_secrets shows it.")],
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Show the name and id of a secret; never its value."""
    return sent(await client.secrets.get(secret_id))


@advised(_WHERE)
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
