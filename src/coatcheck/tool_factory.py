"""Making MCP tools of plain functions: hidden parameters, memory, workspace, client, registration.

A registry maps a tool's name to its function and its `ToolConfig`; `register_tools` puts those asked for on a server.
Parameters that the host fills leave signature, schema and docstring, and a client that sends one anyway changes
nothing. Providers are called each time, so an override in a container reaches tools that are registered already.
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
