"""Decorated functions: in a plain script, and as the tools of a server with a container.

python examples/decorated_tools.py
"""

import re
from typing import Any

import anyio
from mcp import Client
from mcp.server import MCPServer

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.decorators import explorable, referenceable
from coatcheck.object_store import ObjectStore

Reading = dict[str, Any]


def measure(days: int) -> list[Reading]:
    """Return hourly temperatures."""
    return [{"day": n // 24, "hour": n % 24, "celsius": round(8 + n % 24 * 0.7 - n % 7, 1)} for n in range(days * 24)]


def warmest(readings: list[Reading]) -> Reading:
    """Return the reading with the highest temperature."""
    return max(readings, key=lambda reading: reading["celsius"])


def first_line(preview: str) -> str:
    """Return the line of a preview that names the object."""
    return preview.partition("\n")[0]


def in_a_plain_script() -> None:
    """Decorate with your own store, without a container or a server."""
    store = ObjectStore(InMemoryBackend(), ttl=600)
    measured = explorable(object_store=store)(measure)(days=365)  # the readings are stored, this is their preview
    print("explorable:      ", first_line(measured))

    find_warmest = referenceable(object_store=store)(warmest)
    print("referenceable:   ", find_warmest("@obj_001"))  # all readings
    print("with a path:     ", find_warmest("@obj_001[0:24]"))  # those of the first day


async def as_tools_of_a_server() -> None:
    """Decorate with a container, which provides store and explorer at every call."""
    container = Container()
    server: MCPServer[Any] = MCPServer("weather")
    server.add_tool(container.explorable()(measure))
    server.add_tool(container.referenceable()(warmest))
    server.add_tool(container.explorable_and_referenceable()(above))
    async with Client(server) as client:

        async def call(tool: str, **arguments: Any) -> str:
            return "".join(getattr(block, "text", "") for block in (await client.call_tool(tool, arguments)).content)

        preview = await call("measure", days=30)
        reference = re.findall(r"@obj_[\w-]+", preview)[0]
        warm = await call("above", readings=reference, celsius=20)  # accepts a reference and returns one
        print("in a server:     ", first_line(preview).replace(reference, "@obj_a"))
        print("kept in its turn:", first_line(warm).replace(re.findall(r"@obj_[\w-]+", warm)[0], "@obj_b"))
        print(
            "handed on:       ", " ".join((await call("warmest", readings=re.findall(r"@obj_[\w-]+", warm)[0])).split())
        )


def above(readings: list[Reading], celsius: float) -> list[Reading]:
    """Return the readings above a temperature."""
    return [reading for reading in readings if reading["celsius"] > celsius]


if __name__ == "__main__":
    in_a_plain_script()
    anyio.run(as_tools_of_a_server)
