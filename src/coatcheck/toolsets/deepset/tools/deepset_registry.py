"""The tools by name, with the parameters that the host fills."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from coatcheck.tool_factory import Registry, Tool, ToolConfig
from coatcheck.toolsets.deepset.tools import (  # noqa: F401  # they register their tools
    docs_tools,
    index_tools,
    organization_tools,
    pipeline_tools,
    search_tools,
)
from coatcheck.toolsets.deepset.tools.parameters import READS, TOOLS

DEPLOYMENT = {"wait_for_deployment": True, "timeout_seconds": 600, "poll_interval": 5}


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
    fixed = {
        "create_pipeline": {"skip_validation_errors": True},
        "deploy_pipeline": {**DEPLOYMENT, **(deployment or {})},
    }
    registry: dict[str, tuple[Tool, ToolConfig]] = {}
    for name, (tool, facts) in TOOLS.items():
        filled = {"ranker": ranker or _nothing} if "ranker" in signature(tool).parameters else {}
        registry[name] = (tool, ToolConfig(custom_args=fixed.get(name, {}), parameters=filled, **facts))
    parameters = {"docs": docs or _nothing, "response_limit": response_limit or _nothing}
    registry["search_docs"] = (docs_tools.search_docs, ToolConfig(parameters=parameters, annotations=READS))
    guides = {**READS, "openWorldHint": False}
    registry["load_skill"] = (docs_tools.load_skill, ToolConfig(annotations=guides))
    return registry


def _nothing() -> Any:
    return None
