"""The tools by name, each with its memory, the parameters that the host fills, and MCP's hints."""

from collections.abc import Callable, Mapping
from typing import Any

from coatcheck.tool_factory import MemoryType, Registry, Tool, ToolConfig
from coatcheck.toolsets.deepset.tools import (
    docs_tools,
    index_tools,
    organization_tools,
    pipeline_tools,
    search_tools,
)
from coatcheck.toolsets.deepset.tools.parameters import CHANGES, CREATES, READS, RUNS

EXPLORABLE, BOTH, NO_MEMORY = MemoryType.EXPLORABLE, MemoryType.BOTH, MemoryType.NO_MEMORY
DEPLOYMENT = {"wait_for_deployment": True, "timeout_seconds": 600, "poll_interval": 5}

# Whether it works in a workspace, its memory, and MCP's hints.
_IN_WORKSPACE: list[tuple[Tool, MemoryType, Mapping[str, Any]]] = [
    (pipeline_tools.list_pipelines, EXPLORABLE, READS),
    (pipeline_tools.get_pipeline, EXPLORABLE, READS),
    (pipeline_tools.create_pipeline, BOTH, CREATES),
    (pipeline_tools.validate_pipeline, BOTH, READS),
    (pipeline_tools.list_pipeline_versions, EXPLORABLE, READS),
    (pipeline_tools.get_pipeline_version, EXPLORABLE, READS),
    (pipeline_tools.create_pipeline_version, BOTH, CREATES),
    (pipeline_tools.patch_pipeline_version, BOTH, CHANGES),
    (pipeline_tools.restore_pipeline_version, BOTH, CREATES),
    (pipeline_tools.deploy_pipeline, EXPLORABLE, CHANGES),
    (pipeline_tools.get_pipeline_logs, EXPLORABLE, READS),
    (pipeline_tools.debug_pipeline, BOTH, RUNS),
    (search_tools.search_pipeline, EXPLORABLE, READS),
    (search_tools.search_pipeline_with_filters, EXPLORABLE, READS),
    (search_tools.search_pipeline_with_params, EXPLORABLE, READS),
    (index_tools.list_indexes, EXPLORABLE, READS),
    (index_tools.get_index, EXPLORABLE, READS),
    (index_tools.create_index, BOTH, CREATES),
    (index_tools.update_index, BOTH, CHANGES),
    (index_tools.deploy_index, EXPLORABLE, CHANGES),
    (index_tools.validate_index, BOTH, READS),
    (index_tools.list_templates, EXPLORABLE, READS),
    (index_tools.get_template, EXPLORABLE, READS),
    (index_tools.search_templates, EXPLORABLE, READS),
    (search_tools.list_search_history, EXPLORABLE, READS),
    (search_tools.list_pipeline_search_history, EXPLORABLE, READS),
    (search_tools.list_pipeline_traces, EXPLORABLE, READS),
    (search_tools.get_pipeline_trace, EXPLORABLE, READS),
    (search_tools.get_pipeline_trace_span_tags, EXPLORABLE, READS),
    (search_tools.get_pipeline_trace_logs, EXPLORABLE, READS),
    (organization_tools.get_models, EXPLORABLE, READS),
    (organization_tools.list_custom_component_installations, EXPLORABLE, READS),
    (organization_tools.get_latest_custom_component_installation_logs, EXPLORABLE, READS),
]

_WITHOUT_WORKSPACE: list[tuple[Tool, MemoryType, Mapping[str, Any]]] = [
    (organization_tools.list_component_families, EXPLORABLE, READS),
    (organization_tools.get_component_definition, EXPLORABLE, READS),
    (organization_tools.search_component_definitions, EXPLORABLE, READS),
    (organization_tools.get_custom_components, EXPLORABLE, READS),
    (organization_tools.run_component, BOTH, RUNS),
    (organization_tools.list_secrets, EXPLORABLE, READS),
    (organization_tools.get_secret, EXPLORABLE, READS),
    (organization_tools.list_workspaces, EXPLORABLE, READS),
    (organization_tools.get_workspace, EXPLORABLE, READS),
    (organization_tools.create_workspace, EXPLORABLE, CREATES),
]

_FIXED: dict[str, Mapping[str, Any]] = {
    "create_pipeline": {"skip_validation_errors": True},
    "deploy_pipeline": DEPLOYMENT,
}
_WITH_YAML = {
    "get_pipeline",
    "list_pipeline_versions",
    "get_pipeline_version",
    "create_pipeline_version",
    "patch_pipeline_version",
    "restore_pipeline_version",
    "get_index",
    "create_index",
    "update_index",
    "get_template",
}
YAML_PREVIEW_CHARACTERS = 1_500
"""Maximum characters of previews of configurations, which should be passed by reference, not read."""

_SEARCHING = ("search_templates", "search_component_definitions")


def deepset_registry(
    ranker: Callable[[], Any] | None = None,
    docs: Callable[[], Any] | None = None,
    response_limit: Callable[[], int] | None = None,
    deployment: Mapping[str, Any] | None = None,
) -> Registry:
    """Return all tools of the toolset.

    Args:
        ranker: Returns the ranker of templates and components.
        docs: Returns the documentation's share, or ``None`` without one.
        response_limit: Returns the maximum characters of an answer of ``search_docs``.
        deployment: Options of ``deploy_pipeline``: ``timeout_seconds``, ``poll_interval``.
    """
    registry: dict[str, tuple[Tool, ToolConfig]] = {}
    for rows, needs_workspace in ((_IN_WORKSPACE, True), (_WITHOUT_WORKSPACE, False)):
        for tool, memory, hints in rows:
            name = tool.__name__
            fixed = _FIXED.get(name, {})
            if name == "deploy_pipeline":
                fixed = {**fixed, **(deployment or {})}
            registry[name] = (
                tool,
                ToolConfig(
                    memory,
                    custom_args=fixed,
                    parameters={"ranker": ranker or _no_client} if name in _SEARCHING else {},
                    needs_client=True,
                    needs_workspace=needs_workspace,
                    explorer_config={"preview_limit": YAML_PREVIEW_CHARACTERS} if name in _WITH_YAML else {},
                    annotations=hints,
                ),
            )
    parameters = {"docs": docs or _no_client, "response_limit": response_limit or _no_client}
    registry["search_docs"] = (
        docs_tools.search_docs,
        ToolConfig(NO_MEMORY, parameters=parameters, annotations=READS),
    )
    guides = {**READS, "openWorldHint": False}
    registry["load_skill"] = (docs_tools.load_skill, ToolConfig(NO_MEMORY, annotations=guides))
    return registry


def _no_client() -> Any:
    return None
