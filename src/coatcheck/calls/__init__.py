"""Tool lists, calls and results on their way, without transport and SDK; used by `mcp_server` and `proxy`."""
