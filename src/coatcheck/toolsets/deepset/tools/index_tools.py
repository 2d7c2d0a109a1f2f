"""Tools for indexes and templates."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from coatcheck.errors import excerpt
from coatcheck.toolsets.deepset.client import DeepsetClient, RequestRejected
from coatcheck.toolsets.deepset.client.indexes_api import MAX_TEMPLATES, PipelineType
from coatcheck.toolsets.deepset.client.models import Template, sent
from coatcheck.toolsets.deepset.text_ranking import Ranker
from coatcheck.toolsets.deepset.tools.parameters import (
    CHANGES,
    CREATES,
    READS,
    After,
    IndexName,
    Query,
    TopK,
    Workspace,
    YamlText,
    deepset_tool,
    shown,
)
from coatcheck.toolsets.deepset.tools.tool_errors import ToolFailed, configuration, rejected_deployment

_WHERE = "list_indexes names the indexes; list_workspaces names the workspaces."
_WHERE_TEMPLATES = (
    "list_templates names the templates; search_templates finds some; list_workspaces names the workspaces."
)

TypeOfPipeline = Annotated[
    PipelineType | None, Field(description="Only templates of query pipelines, or only those of indexes.")
]


@deepset_tool(READS, _WHERE)
async def list_indexes(workspace: Workspace, after: After = None, *, client: DeepsetClient) -> dict[str, Any]:
    """List the indexes of the workspace with their configurations and how many files are indexed."""
    return shown(await client.workspace(workspace).indexes.list(limit=20, after=after))


@deepset_tool(READS, _WHERE, shows_yaml=True)
async def get_index(index_name: IndexName, workspace: Workspace, *, client: DeepsetClient) -> dict[str, Any]:
    """Show an index; its configuration is under config_yaml."""
    return sent(await client.workspace(workspace).indexes.get(index_name))


@deepset_tool(CREATES, _WHERE, takes_references=True, shows_yaml=True)
async def create_index(
    index_name: Annotated[str, Field(description="Name of the new index.")],
    yaml_configuration: YamlText,
    workspace: Workspace,
    description: Annotated[str | None, Field(description="What it is for.")] = None,
    *,
    client: DeepsetClient,
) -> Any:
    """Create an index: how files become documents that pipelines find."""
    config = configuration(yaml_configuration)
    return await client.workspace(workspace).indexes.create(index_name, config, description=description)


@deepset_tool(CHANGES, _WHERE, takes_references=True, shows_yaml=True)
async def update_index(
    index_name: IndexName,
    original_config_snippet: Annotated[
        str, Field(min_length=1, description="The part to replace, exactly as it is in the configuration, once.")
    ],
    replacement_config_snippet: Annotated[str, Field(description="What to put in its place.")],
    workspace: Workspace,
    *,
    client: DeepsetClient,
) -> Any:
    """Change a part of an index's configuration; everything else stays, comments and formatting too."""
    indexes = client.workspace(workspace).indexes
    config = (await indexes.get(index_name)).config_yaml or ""
    count = config.count(original_config_snippet)
    if count != 1:
        found = "is not in the configuration" if count == 0 else f"is in the configuration {count} times"
        what = "copy it with its spaces; get_index shows it" if count == 0 else "add lines around it until it is unique"
        raise ToolFailed(f"The snippet {excerpt(original_config_snippet)!r} {found}; nothing was changed: {what}.")
    changed = config.replace(original_config_snippet, replacement_config_snippet)
    return await indexes.update(index_name, config_yaml=changed)


@deepset_tool(CHANGES, _WHERE)
async def deploy_index(index_name: IndexName, workspace: Workspace, *, client: DeepsetClient) -> dict[str, Any]:
    """Deploy an index, so that files are indexed; get_index shows how far that is."""
    try:
        deployed = await client.workspace(workspace).indexes.deploy(index_name)
    except RequestRejected as error:
        return rejected_deployment(index_name, error)
    return {"deployed": True, "name": index_name, **(deployed if isinstance(deployed, dict) else {})}


@deepset_tool(READS, "list_workspaces names the workspaces.", takes_references=True)
async def validate_index(
    yaml_configuration: YamlText, workspace: Workspace, *, client: DeepsetClient
) -> dict[str, Any]:
    """Have the platform validate the configuration of an index, without saving it."""
    return sent(await client.workspace(workspace).indexes.validate(configuration(yaml_configuration)))


@deepset_tool(READS, _WHERE_TEMPLATES)
async def list_templates(
    workspace: Workspace,
    limit: Annotated[int, Field(ge=1, le=100, description="Most templates.")] = 100,
    pipeline_type: TypeOfPipeline = None,
    after: After = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """List templates to begin with, the newest first, with their configurations.

    search_templates finds one for a task.
    """
    templates = client.workspace(workspace).templates
    return shown(await templates.list(limit=limit, pipeline_type=pipeline_type, after=after))


@deepset_tool(READS, _WHERE_TEMPLATES, shows_yaml=True)
async def get_template(
    template_name: Annotated[str, Field(description="pipeline_name of the template.")],
    workspace: Workspace,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Show a template; its configuration is under query_yaml or indexing_yaml, to be passed on by reference."""
    return sent(await client.workspace(workspace).templates.get(template_name))


@deepset_tool(READS, _WHERE_TEMPLATES)
async def search_templates(
    query: Query,
    workspace: Workspace,
    top_k: TopK = 5,
    pipeline_type: TypeOfPipeline = None,
    *,
    client: DeepsetClient,
    ranker: Ranker,
) -> dict[str, Any]:
    """Find templates for a task by keywords; get_template shows the configuration of one."""
    templates = client.workspace(workspace).templates
    page = await templates.list(limit=MAX_TEMPLATES, pipeline_type=pipeline_type)
    ranked = await ranker.rank(query, [_text_of(template) for template in page.data], top_k)
    return {"data": [{**_summary(page.data[place]), "score": round(score, 3)} for place, score in ranked]}


def _text_of(template: Template) -> str:
    parts: Sequence[str | None] = (
        template.pipeline_name,
        template.name,
        template.description,
        *template.best_for,
        *template.potential_applications,
        *(tag.name for tag in template.tags),
    )
    return "\n".join(part for part in parts if part)


def _summary(template: Template) -> dict[str, Any]:
    left_out = {"query_yaml", "indexing_yaml"}
    return {key: value for key, value in sent(template).items() if key not in left_out}
