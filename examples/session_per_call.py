"""A database session for each call of a tool: opened before, committed or rolled back after it, hidden from the client.

    python examples/session_per_call.py

The official SDK has no per-call dependencies; `coatcheck.tool_factory.inject` adds them to any server.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dependency_injector import containers, providers
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from coatcheck import Container, Settings, attach
from coatcheck.tool_factory import inject


@contextmanager
def open_session(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection; commit if the call succeeds, roll back if it fails, close in both cases."""
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


class Application(containers.DeclarativeContainer):
    """The host's container: the path of the database, a session factory, and coatcheck."""

    path = providers.Dependency(instance_of=Path)
    session = providers.Factory(open_session, path)
    coatcheck = providers.Container(Container, settings=providers.ThreadSafeSingleton(Settings))


def make_server(application: Any) -> MCPServer[Any]:
    """Create a server whose tools use the database."""
    server: MCPServer[Any] = MCPServer("orders", log_level="WARNING")

    @server.tool()
    @inject(session=application.session)
    def add_orders(names: list[str], *, session: sqlite3.Connection) -> int:
        """Add all orders or none."""
        session.execute("CREATE TABLE IF NOT EXISTS orders (name TEXT NOT NULL)")
        session.executemany("INSERT INTO orders VALUES (?)", [(name,) for name in names])
        if "" in names:
            raise ToolError("An order needs a name.")
        return len(names)

    @server.tool()
    @inject(session=application.session)
    def list_orders(*, session: sqlite3.Connection) -> list[str]:
        """List the names of all orders."""
        return [name for (name,) in session.execute("SELECT name FROM orders ORDER BY rowid")]

    attach(server, application.coatcheck())
    return server


async def main(path: Path) -> None:
    """Call the tools like a client."""
    async with Client(make_server(Application(path=path))) as client:
        tools = (await client.list_tools()).tools
        print("parameters:", {tool.name: list(tool.input_schema["properties"]) for tool in tools[:2]})
        await client.call_tool("add_orders", {"names": ["tea", "bread"]})
        failed = await client.call_tool("add_orders", {"names": ["milk", ""]})
        print("a call that fails is rolled back:", failed.is_error)
        listed = await client.call_tool("list_orders", {"session": "one of the client's own"})
        print("orders:", listed.structured_content)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "orders.sqlite"))
