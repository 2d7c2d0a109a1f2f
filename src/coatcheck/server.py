"""MCP servers with an object store: `attach` for an existing server, `configure_mcp_server` for one of your own."""

from coatcheck.wiring.configure import attach, configure_mcp_server

__all__ = ["attach", "configure_mcp_server"]
