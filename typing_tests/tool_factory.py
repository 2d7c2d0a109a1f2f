"""Tools from plain functions, and existing servers."""

from typing import Any, assert_type

from mcp.server import MCPServer

from coatcheck import Container, MemoryType, Settings, ToolConfig, attach, configure_mcp_server, register_tools
from coatcheck.tool_factory import Registry


def search(query: str, client: object) -> list[str]:
    """Search."""
    del client
    return [query]


registry: Registry = {
    "search": (search, ToolConfig(memory_type=MemoryType.BOTH, needs_client=True)),
    "find": (search, ToolConfig(custom_args={"query": "all"}, explorer_config={"preview_limit": 500})),
}
ToolConfig(memory_type="sometimes")  # type: ignore[arg-type]
not_a_registry: Registry = {"search": search}  # type: ignore[dict-item]

server: MCPServer[Any] = MCPServer("demo")
container = Container(settings=Settings())
assert_type(attach(server, container), list[str])
assert_type(configure_mcp_server(server, object_store_ttl=60), Container)
register_tools(server, registry, {"search"}, object_store=container.store, explorer=container.explorer)
attach(container, server)  # type: ignore[arg-type]
