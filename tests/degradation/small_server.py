"""A server with one tool that returns a large result and one that accepts any value."""

from mcp.server import MCPServer

server = MCPServer("small")


@server.tool()
def lines(count: int) -> str:
    """Return lines."""
    return "".join(f"line {number}\n" for number in range(count))


@server.tool()
def length(text: str) -> int:
    """Count characters."""
    return len(text)


if __name__ == "__main__":
    server.run("stdio")
