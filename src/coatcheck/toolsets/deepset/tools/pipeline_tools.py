"""Tools for pipelines: look at them, validate, create, deploy, read their logs, debug them."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from coatcheck.toolsets.deepset.client import (
    DeepsetClient,
    PlatformFailed,
    PlatformTimeout,
    RequestRejected,
)
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.client.pipelines_api import LogLevel
from coatcheck.toolsets.deepset.tools.parameters import (
    CHANGES,
    CREATES,
    READS,
    RUNS,
    After,
    PipelineName,
    VersionId,
    Workspace,
    YamlText,
    deepset_tool,
    shown,
)
from coatcheck.toolsets.deepset.tools.tool_errors import ToolFailed, configuration, rejected_deployment

WHERE_PIPELINES = "list_pipelines names the pipelines; list_workspaces names the workspaces."


@deepset_tool(READS, WHERE_PIPELINES)
async def list_pipelines(workspace: Workspace, after: After = None, *, client: DeepsetClient) -> dict[str, Any]:
    """List the pipelines of the workspace, the newest first, with status, service level and versions.

    Their configurations are in get_pipeline.
    """
    return shown(await client.workspace(workspace).pipelines.list(limit=20, after=after))


@deepset_tool(READS, WHERE_PIPELINES, shows_yaml=True)
async def get_pipeline(pipeline_name: PipelineName, workspace: Workspace, *, client: DeepsetClient) -> dict[str, Any]:
    """Show a pipeline with the configuration of its newest version, under config_yaml.

    Pass the configuration on by reference, as in yaml_configuration="@obj_001.config_yaml"; never write it out.
    """
    pipelines = client.workspace(workspace).pipelines
    pipeline = await pipelines.get(pipeline_name)
    newest = (await pipelines.list_versions(pipeline_name, limit=1)).data
    found = sent(pipeline)
    if newest:
        version = newest[0]
        found |= {
            "config_yaml": version.config_yaml,
            "version_id": version.version_id,
            "version_number": version.version_number,
        }
    return found


@deepset_tool(CREATES, WHERE_PIPELINES, takes_references=True)
async def create_pipeline(
    pipeline_name: Annotated[str, Field(description="Name of the new pipeline.")],
    yaml_configuration: YamlText,
    workspace: Workspace,
    skip_validation_errors: bool = True,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Create a pipeline with a first version of its configuration, a draft.

    The configuration is validated: what is wrong is listed under validation, and the pipeline is created nevertheless;
    correct it with create_pipeline_version.
    """
    pipelines = client.workspace(workspace).pipelines
    config = configuration(yaml_configuration)
    validation = await pipelines.validate(config)
    if not validation.valid and not skip_validation_errors:
        return {"created": False, "name": pipeline_name, "validation": sent(validation)}
    created = await pipelines.create(pipeline_name, config)
    details = created if isinstance(created, dict) else {}
    return {**details, "created": True, "name": pipeline_name, "validation": sent(validation)}


@deepset_tool(READS, "list_workspaces names the workspaces.", takes_references=True)
async def validate_pipeline(
    yaml_configuration: YamlText, workspace: Workspace, *, client: DeepsetClient
) -> dict[str, Any]:
    """Have the platform validate the configuration of a pipeline, without saving it.

    Returns valid, and errors with message and json_pointer for what is wrong.
    """
    return sent(await client.workspace(workspace).pipelines.validate(configuration(yaml_configuration)))


@deepset_tool(CHANGES, "list_pipelines names the pipelines; list_pipeline_versions names the versions.")
async def deploy_pipeline(
    pipeline_name: PipelineName,
    workspace: Workspace,
    version_id: Annotated[str | None, Field(description="The version; by default the newest.")] = None,
    wait_for_deployment: bool = True,
    timeout_seconds: float = 600,
    poll_interval: float = 5,
    *,
    client: DeepsetClient,
    ctx: Context[Any, Any] | None = None,
) -> dict[str, Any]:
    """Deploy a pipeline, so that it can be searched with, and wait until it is deployed.

    It takes minutes and reports progress. If it fails, get_pipeline_logs with level="error" says why.
    """
    pipelines = client.workspace(workspace).pipelines
    try:
        await pipelines.deploy(pipeline_name, version_id=version_id)
    except RequestRejected as error:
        return rejected_deployment(pipeline_name, error)
    if not wait_for_deployment:
        return {"deployed": False, "name": pipeline_name, "status": "the deployment has begun"}

    async def report(status: str, seconds: float) -> None:
        if ctx is not None:
            await ctx.report_progress(seconds, timeout_seconds, f"{pipeline_name}: {status} after {seconds:.0f} s")

    try:
        pipeline = await pipelines.wait_until_deployed(
            pipeline_name, timeout_seconds=timeout_seconds, poll_interval=poll_interval, on_status=report
        )
    except PlatformFailed as error:
        if error.status is not None:
            raise
        raise ToolFailed(
            f'{error}. get_pipeline_logs(pipeline_name="{pipeline_name}", level="error") says why; correct it with '
            "create_pipeline_version, then deploy again."
        ) from error
    except PlatformTimeout as error:
        if error.method:
            raise
        raise ToolFailed(f"{error}. Do not deploy a second time; look again with get_pipeline in a minute.") from error
    return {"deployed": True, **sent(pipeline)}


@deepset_tool(READS, WHERE_PIPELINES)
async def get_pipeline_logs(
    pipeline_name: PipelineName,
    workspace: Workspace,
    limit: Annotated[int, Field(ge=1, le=1000, description="Most entries.")] = 30,
    level: Annotated[LogLevel | None, Field(description="Only entries of this level.")] = None,
    after: After = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Read the log of a pipeline, the newest entry first, with exceptions and their traces.

    Ask for many entries and count or filter them with object_store_query.
    """
    page = await client.workspace(workspace).pipelines.logs(pipeline_name, limit=limit, level=level, after=after)
    return shown(page)


@deepset_tool(RUNS, "list_pipelines names the pipelines; list_workspaces names the workspaces.", takes_references=True)
async def debug_pipeline(
    yaml_configuration: YamlText,
    workspace: Workspace,
    inputs: Annotated[
        dict[str, Any] | None, Field(description='Inputs by component: {"retriever": {"query": "…"}}.')
    ] = None,
    break_at_component_name: Annotated[str | None, Field(description="Stop before this component runs.")] = None,
    break_at_visit_count: Annotated[int, Field(ge=0, description="At which visit of it, from 0.")] = 0,
    resume_from: Annotated[
        Any, Field(description='Snapshot of a run that was stopped, such as "@obj_001.snapshot": go on from there.')
    ] = None,
    files: Annotated[Any, Field(description="Files, where the pipeline takes any.")] = None,
    pipeline_id: Annotated[str | None, Field(description="Run it as this pipeline.")] = None,
    pipeline_version_id: Annotated[str | None, Field(description="Run it as this version.")] = None,
    dry_run: Annotated[bool, Field(description="Check the configuration and run nothing.")] = False,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Run a configuration once without saving or deploying it; stop at a component to look at what it is given.

    The answer has status (completed, stopped_at_breakpoint, failed), result, snapshot, stopped_at and trace.
    """
    break_at = None
    if break_at_component_name is not None:
        break_at = {"component_name": break_at_component_name, "visit_count": break_at_visit_count}
    run = await client.workspace(workspace).pipelines.debug(
        configuration(yaml_configuration),
        inputs or {},
        dry_run=dry_run,
        break_at=break_at,
        resume_from=resume_from,
        files=files,
        pipeline_id=pipeline_id,
        pipeline_version_id=pipeline_version_id,
    )
    return sent(run)


_WHERE_VERSIONS = "list_pipelines names the pipelines; list_pipeline_versions names the versions of one."


@deepset_tool(READS, _WHERE_VERSIONS, shows_yaml=True)
async def list_pipeline_versions(
    pipeline_name: PipelineName, workspace: Workspace, after: After = None, *, client: DeepsetClient
) -> dict[str, Any]:
    """List the versions of a pipeline with their configurations, the newest first."""
    return shown(await client.workspace(workspace).pipelines.list_versions(pipeline_name, limit=10, after=after))


@deepset_tool(READS, _WHERE_VERSIONS, shows_yaml=True)
async def get_pipeline_version(
    pipeline_name: PipelineName, version_id: VersionId, workspace: Workspace, *, client: DeepsetClient
) -> dict[str, Any]:
    """Show one version of a pipeline; its configuration is under config_yaml."""
    return sent(await client.workspace(workspace).pipelines.get_version(pipeline_name, version_id))


@deepset_tool(CREATES, _WHERE_VERSIONS, takes_references=True, shows_yaml=True)
async def create_pipeline_version(
    pipeline_name: PipelineName,
    yaml_configuration: YamlText,
    workspace: Workspace,
    description: Annotated[str | None, Field(description="What is different in it.")] = None,
    is_draft: Annotated[bool, Field(description="A draft stays editable and is not deployed by itself.")] = True,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Save another version of a pipeline's configuration; earlier versions stay.

    To edit: object_store_sed on "@obj_001", path "config_yaml", gives a new reference to pass here.
    """
    pipelines = client.workspace(workspace).pipelines
    version = await pipelines.create_version(
        pipeline_name, configuration(yaml_configuration), is_draft=is_draft, description=description
    )
    return sent(version)


@deepset_tool(CHANGES, _WHERE_VERSIONS, takes_references=True, shows_yaml=True)
async def patch_pipeline_version(
    pipeline_name: PipelineName,
    version_id: VersionId,
    workspace: Workspace,
    yaml_configuration: Annotated[
        str | None, Field(description='The new YAML, best a reference such as "@obj_001.config_yaml".')
    ] = None,
    description: Annotated[str | None, Field(description="What is different in it.")] = None,
    is_draft: Annotated[bool | None, Field(description="false: no draft any more.")] = None,
    *,
    client: DeepsetClient,
) -> dict[str, Any]:
    """Change a version in its place: configuration, description or draft state; what is left out stays."""
    if yaml_configuration is None and description is None and is_draft is None:
        raise ToolFailed("Nothing to change was given: pass yaml_configuration, description or is_draft.")
    pipelines = client.workspace(workspace).pipelines
    config = None if yaml_configuration is None else configuration(yaml_configuration)
    version = await pipelines.update_version(
        pipeline_name, version_id, config_yaml=config, is_draft=is_draft, description=description
    )
    return sent(version)


@deepset_tool(CREATES, _WHERE_VERSIONS, takes_references=True, shows_yaml=True)
async def restore_pipeline_version(
    pipeline_name: PipelineName, version_id: VersionId, workspace: Workspace, *, client: DeepsetClient
) -> dict[str, Any]:
    """Make an earlier version the newest one again; nothing is deployed by that."""
    return sent(await client.workspace(workspace).pipelines.restore_version(pipeline_name, version_id))
