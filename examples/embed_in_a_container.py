"""A host's own container that embeds coatcheck's and shares the object store with the host's own service.

python examples/embed_in_a_container.py
"""

from typing import Any

import anyio
from dependency_injector import containers, providers
from mcp import Client
from mcp.server import MCPServer

from coatcheck.containers import Container
from coatcheck.lifecycle import running
from coatcheck.object_store import ObjectStore
from coatcheck.server import attach
from coatcheck.settings import Settings


class Reports:
    """The host's own service: it writes reports into the store that the tools read from."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def write(self, year: int) -> str:
        """Write the report of a year and return its reference."""
        rows = [{"month": f"{year}-{month:02}", "sold": month * 7 % 11 * 1000} for month in range(1, 13)]
        return "@" + await self._store.aput(rows, tool="reports")


class Shop(containers.DeclarativeContainer):
    """The host's container; coatcheck's is a part of it, with settings that the host defines."""

    settings = providers.Singleton(Settings, object_store_ttl=600.0)
    coatcheck = providers.Container(Container, settings=settings)
    reports = providers.Singleton(Reports, store=coatcheck.store)


def make_server(shop: Shop) -> MCPServer[Any]:
    """Create the host's server; its tools and the object tools share the shop's store."""
    server: MCPServer[Any] = MCPServer("shop")

    @server.tool()
    def best_month(rows: list[dict[str, Any]]) -> str:
        """Name the month in which most was sold."""
        return str(max(rows, key=lambda row: row["sold"])["month"])

    attach(server, shop.coatcheck())
    return server


async def main() -> None:
    """Let the service write a report, and a tool read it by reference."""
    shop = Shop()
    async with running(shop.coatcheck()), Client(make_server(shop)) as client:
        reference = await shop.reports().write(2025)
        best = await client.call_tool("best_month", {"rows": reference})
        print("The service wrote a report; a tool read it by reference:", getattr(best.content[0], "text", ""))
        listed = await client.call_tool("object_store_query", {"object_id": reference, "filter": "map(.sold) | add"})
        print("Sold in the whole year, by a jq query:", getattr(listed.content[0], "text", ""))


if __name__ == "__main__":
    anyio.run(main)
