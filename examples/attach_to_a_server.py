"""An existing MCP server, made explorable and referenceable in one line.

Run it as a server over stdio, for example from a host's configuration:

    python examples/attach_to_a_server.py

`list_parcels` returns far more than a model should read. After `attach` the model gets a preview with a reference, and
passes `@obj_…[0:3]` to `postage` in place of a list.
"""

from typing import Any

from mcp.server import MCPServer
from pydantic import BaseModel

from coatcheck.containers import Container
from coatcheck.server import attach

CITIES = ["Aarhus", "Bilbao", "Cork", "Dresden", "Ennis", "Faro"]


class Parcel(BaseModel):
    """A parcel on its way."""

    number: int
    city: str
    grams: int


class Bill(BaseModel):
    """The cost of sending."""

    parcels: int
    cents: int


def make_server() -> MCPServer[Any]:
    """Create the original server, without references."""
    server: MCPServer[Any] = MCPServer("parcels")

    @server.tool()
    def list_parcels(count: int = 2000) -> list[Parcel]:
        """List the newest parcels."""
        return [Parcel(number=n, city=CITIES[n % 6], grams=250 + n * 37 % 9000) for n in range(count)]

    @server.tool()
    def postage(parcels: list[Parcel]) -> Bill:
        """Compute the cost of these parcels: three euros each, plus one for each started kilogram."""
        cents = sum(300 + 100 * -(-parcel.grams // 1000) for parcel in parcels)
        return Bill(parcels=len(parcels), cents=cents)

    return server


def make_attached_server(container: Container) -> MCPServer[Any]:
    """Create the server with coatcheck attached."""
    server = make_server()
    attach(server, container)  # the one line
    return server


if __name__ == "__main__":
    # The store in memory needs no configuration. For Redis set COATCHECK_OBJECT_STORE_BACKEND and COATCHECK_REDIS_URL.
    make_attached_server(Container()).run()
