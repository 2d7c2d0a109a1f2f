"""Calls every tool of a server with a short and a long result, with either Python SDK, which checks them.

python python_client.py COMMAND…
"""

import asyncio
import json
import os
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    """Print the structured content of both results of each tool, or the error."""
    parameters = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    outcomes: dict[str, list[Any]] = {}
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        for tool in (await session.list_tools()).tools:
            if getattr(tool, "output_schema", None) or getattr(tool, "outputSchema", None):
                outcomes[tool.name] = [await outcome(session, tool.name, is_long=is_long) for is_long in (False, True)]
    sys.stdout.write(json.dumps(outcomes))


async def outcome(session: ClientSession, name: str, *, is_long: bool) -> Any:
    """Call a tool; return its result, or the SDK's validation error."""
    try:
        result: Any = await session.call_tool(name, {"long": is_long})
    except Exception as error:  # noqa: BLE001 - the test tells it
        return str(error)
    given = getattr(result, "structured_content", None)
    return result.structuredContent if given is None else given


if __name__ == "__main__":
    asyncio.run(main())
