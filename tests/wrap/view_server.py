"""A server of MCP Apps: a tool with a view and one without, both with a large result. Over HTTP, alone or attached."""

import sys

ROWS = {"numbers": list(range(10_000, 15_000))}
META = {"ui": {"resourceUri": "ui://views/rows.html"}}


def dashboard() -> dict[str, list[int]]:
    """Return many numbers, which a view shows."""
    return ROWS


def rows() -> dict[str, list[int]]:
    """Return many numbers."""
    return ROWS


def page() -> str:
    """Return the view."""
    return "<p>rows"


def sdk_server():
    from mcp.server import MCPServer

    server = MCPServer("views")
    server.tool(meta=META)(dashboard)
    server.tool()(rows)
    server.resource("ui://views/rows.html", mime_type="text/html;profile=mcp-app")(page)
    return server


def fastmcp_server():
    from fastmcp import FastMCP

    server = FastMCP("views")
    server.tool(meta=META)(dashboard)
    server.tool(rows)
    return server


if __name__ == "__main__":
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "sdk":
        sdk_server().run("streamable-http", host="127.0.0.1", port=port)
    else:
        from coatcheck import Container, attach

        attached = fastmcp_server()
        attach(attached, Container())
        attached.run("http", host="127.0.0.1", port=port, show_banner=False)
