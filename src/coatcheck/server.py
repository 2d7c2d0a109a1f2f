"""MCP servers with an object store: `attach` for an existing server, `configure_mcp_server` and `build_server`."""

from coatcheck.mcp_server.attach import attach, build_server, configure_mcp_server

__all__ = ["attach", "build_server", "configure_mcp_server"]
