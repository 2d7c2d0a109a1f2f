"""What several tools share: parameters, hints, and how they are registered."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Annotated, Any, Final

from pydantic import Field

from coatcheck.tool_factory import MemoryType, Tool
from coatcheck.toolsets.deepset.client import Page
from coatcheck.toolsets.deepset.client.models import sent
from coatcheck.toolsets.deepset.tools.tool_errors import advised

Workspace = Annotated[str, Field(description="Name of the workspace; list_workspaces shows them.")]
PipelineName = Annotated[str, Field(description="Name of the pipeline.")]
IndexName = Annotated[str, Field(description="Name of the index.")]
VersionId = Annotated[str, Field(description="Id of the version; list_pipeline_versions shows it.")]
QueryId = Annotated[
    str,
    Field(description="query_id of a search, as in its answer and in histories; list_pipeline_traces shows it too."),
]
YamlText = Annotated[
    str, Field(description='YAML text; best a reference to where it is stored, such as "@obj_001.config_yaml".')
]
Limit = Annotated[int, Field(ge=1, le=100, description="Most items.")]
After = Annotated[str | None, Field(description="next_cursor of the page before.")]
TopK = Annotated[int, Field(ge=1, le=50, description="Most results.")]
Query = Annotated[str, Field(min_length=1, max_length=10_000, description="The question or the keywords.")]

READS: Final = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": True}
CREATES: Final = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False, "openWorldHint": True}
CHANGES: Final = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": True}
RUNS: Final = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True}

YAML_PREVIEW_CHARACTERS = 1_500
"""Maximum characters of previews of configurations, which should be passed by reference, not read."""

TOOLS: dict[str, tuple[Tool, dict[str, Any]]] = {}
"""The tools by name, each with arguments of its ``ToolConfig``."""


def deepset_tool(
    hints: Mapping[str, bool], where: str, *, takes_references: bool = False, shows_yaml: bool = False
) -> Callable[[Tool], Tool]:
    """Register a tool that needs the client; its results are kept, and its errors say what to do next.

    ``where`` names tools that list valid names; ``shows_yaml``: its result is a configuration, whose preview is short.
    """

    def register(function: Tool) -> Tool:
        tool = advised(where, writes=hints is CREATES or hints is CHANGES)(function)
        TOOLS[function.__name__] = (
            tool,
            {
                "memory_type": MemoryType.BOTH if takes_references else MemoryType.EXPLORABLE,
                "needs_client": True,
                "needs_workspace": "workspace" in signature(function).parameters,
                "explorer_config": {"preview_limit": YAML_PREVIEW_CHARACTERS} if shows_yaml else {},
                "annotations": hints,
            },
        )
        return tool

    return register


def shown(page: Page[Any]) -> dict[str, Any]:
    """Convert a page to a tool's result; ``next_cursor`` is included only if there is a next page."""
    result: dict[str, Any] = {"data": [sent(item) for item in page.data], "has_more": page.has_more}
    if page.total is not None:
        result["total"] = page.total
    if page.next_cursor is not None:
        result["next_cursor"] = page.next_cursor
    return result
