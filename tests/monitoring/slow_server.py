"""A server, and a toolset, with a slow tool that reports its start."""

from pathlib import Path

import anyio
from mcp.server import MCPServer

from coatcheck.tool_factory import MemoryType, ToolConfig
from coatcheck.toolsets import Toolset


async def slow(began: str, pipe: str = "") -> str:
    """Create a marker file, then wait until a named pipe is written to, or without one until cancelled."""
    Path(began).touch()  # noqa: ASYNC240
    if not pipe:
        await anyio.sleep_forever()
    return await anyio.Path(pipe).read_text()


async def many(rows: int) -> list[dict[str, int]]:
    """Return rows."""
    return [{"row": number} for number in range(rows)]


server = MCPServer("slow", log_level="WARNING")
server.tool()(slow)
server.tool()(many)

toolset = Toolset(
    "slow",
    lambda: {
        "slow": (slow, ToolConfig(MemoryType.NO_MEMORY)),
        "many": (many, ToolConfig(MemoryType.BOTH)),
    },
)

if __name__ == "__main__":
    server.run()
