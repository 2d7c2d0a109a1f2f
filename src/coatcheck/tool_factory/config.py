"""What a tool needs besides its function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class MemoryType(StrEnum):
    """Whether a tool's results are kept and its arguments may be references."""

    NO_MEMORY = "no_memory"
    EXPLORABLE = "explorable"
    REFERENCEABLE = "referenceable"
    BOTH = "both"


class WorkspaceMode(StrEnum):
    """Who says which workspace a tool works in: the host once (static), or the model at each call (dynamic)."""

    STATIC = "static"
    DYNAMIC = "dynamic"


@dataclass(frozen=True)
class ToolConfig:
    """How a function becomes a tool.

    Attributes:
        memory_type: Whether results are kept and references taken.
        custom_args: Fixed values of parameters, hidden from the model.
        parameters: Providers of parameters, hidden from the model and asked at every call; for an async tool a provider
            may give an awaitable.
        needs_client: Whether the parameter ``client`` is filled by the host.
        needs_workspace: Whether the tool works in a ``workspace``, see `WorkspaceMode`.
        explorer_config: Limits of this tool's own previews and answers: ``preview_limit``, ``response_limit`` in
            characters.
        title: A name for people.
        annotations: MCP's hints, such as ``{"readOnlyHint": True}``, or a ``ToolAnnotations``.
    """

    memory_type: MemoryType = MemoryType.NO_MEMORY
    custom_args: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    needs_client: bool = False
    needs_workspace: bool = False
    explorer_config: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None
    annotations: Any = None


Tool: TypeAlias = Callable[..., Any]
Registry: TypeAlias = Mapping[str, tuple[Tool, ToolConfig]]
