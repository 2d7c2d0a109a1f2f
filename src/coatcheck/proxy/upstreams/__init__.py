"""Connections to the servers behind the proxy: a process, streamable HTTP, or SSE."""
