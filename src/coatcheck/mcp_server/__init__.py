"""MCP servers in this process: the middleware, `attach`, and authentication."""
