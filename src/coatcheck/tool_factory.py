"""Creates MCP tools from plain functions: hidden parameters, memory, workspace, client, registration.

A registry maps a tool's name to its function and its `ToolConfig`; `register_tools` registers the selected ones on a
server. Parameters that the host fills are removed from signature, schema and docstring, and a value that a client sends
for one has no effect. Providers are called each time, so an override in a container takes effect in registered tools.
"""

from coatcheck.tools.hidden_parameters import inject, per_call
from coatcheck.tools.registration import build_tool, register_tools
from coatcheck.tools.tool_building import (
    MemoryType,
    Registry,
    Tool,
    ToolConfig,
    WorkspaceMode,
    apply_client,
    apply_custom_args,
    apply_memory,
    apply_workspace,
)

__all__ = [
    "MemoryType",
    "Registry",
    "Tool",
    "ToolConfig",
    "WorkspaceMode",
    "apply_client",
    "apply_custom_args",
    "apply_memory",
    "apply_workspace",
    "build_tool",
    "inject",
    "per_call",
    "register_tools",
]
