"""A server of the SDK with a tool for every feature: ``python feature_server.py stdio|streamable-http|sse [PORT]``."""

import asyncio
import base64
import os
import sys
from pathlib import Path

import anyio
from anyio.lowlevel import checkpoint
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import SamplingMessage, TextContent

server = MCPServer("features", instructions="Use with care.", log_level="ERROR")


@server.tool()
def text(size: int) -> str:
    """Return a text of this many characters."""
    return ("line of text\n" * (size // 13 + 1))[:size]


@server.tool()
def rows(count: int) -> list[dict[str, int]]:
    """Return rows."""
    return [{"id": number} for number in range(count)]


@server.tool()
def length(value: str) -> int:
    """Count the characters of a text."""
    return len(value)


@server.tool()
def process() -> str:
    """Return the process id."""
    return str(os.getpid())


@server.tool()
def variable(name: str) -> str:
    """Return a variable of the environment."""
    return os.environ.get(name, "")


@server.tool()
def die() -> str:
    """Exit immediately."""
    os._exit(3)


@server.tool()
async def headers(ctx: Context) -> dict[str, str]:
    """Return the headers of the request."""
    return dict(ctx.headers or {})


@server.tool()
async def steps(ctx: Context, count: int = 3) -> str:
    """Report progress."""
    for number in range(count):
        await ctx.report_progress(number + 1, count, f"step {number + 1}")
        await checkpoint()
    return "done"


@server.tool()
async def floods(ctx: Context, mark: str) -> str:
    """Report much progress, and write the number of notifications to a file."""
    for number in range(1, 801):
        await ctx.report_progress(number, message="x" * 100_000)
        if number % 10 == 0:
            Path(mark).write_text(str(number))  # noqa: ASYNC240
            await checkpoint()
    return "all of it"


@server.tool()
async def logs(ctx: Context) -> str:
    """Write to the client's log."""
    await ctx.info("a message for the log")
    return "logged"


@server.tool()
async def waits(began: str = "") -> str:
    """Wait for long; create one file at the start if requested, and one when cancelled."""
    if began:
        Path(began).touch()  # noqa: ASYNC240
    try:
        await anyio.sleep_forever()
    except asyncio.CancelledError:
        if path := os.environ.get("FEATURE_MARK"):
            Path(path).write_text("cancelled")  # noqa: ASYNC240
        raise
    return "never"


@server.tool()
async def samples(ctx: Context) -> str:
    """Ask the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text="Who?"))
    answer = await ctx.session.create_message(messages=[message], max_tokens=10)
    return f"the model says {answer.content.text}"


@server.tool()
async def roots(ctx: Context) -> str:
    """Ask the client for its roots."""
    return ", ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)


@server.resource("demo://greeting")
def greeting() -> str:
    """A greeting."""
    return "Hello."


@server.resource("demo://people/{name}")
def person(name: str) -> str:
    """A person."""
    return f"This is {name}."


@server.prompt()
def summary(subject: str) -> str:
    """Ask for a summary."""
    return f"Summarise {subject}."


@server.tool()
def picture(size: int) -> list:
    """Return a picture."""
    from mcp_types import ImageContent

    return [ImageContent(type="image", data=base64.b64encode(bytes(size)).decode(), mime_type="image/png")]


if __name__ == "__main__":
    transport = sys.argv[1]
    if transport == "stdio":
        server.run("stdio")
    else:
        server.run(transport, port=int(sys.argv[2]), host="127.0.0.1")
