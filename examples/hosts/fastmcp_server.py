"""A FastMCP server that mounts another one; large results of both are kept, and both accept references to them.

python examples/hosts/fastmcp_server.py --port 8000
"""

import argparse
from typing import Any

from fastmcp import FastMCP

from coatcheck import Container, Settings, running
from coatcheck.server import CoatcheckMiddleware


def make_weather() -> FastMCP[Any]:
    """Create the server that is mounted, without coatcheck."""
    weather: FastMCP[Any] = FastMCP("weather")

    @weather.tool
    def measure(days: int) -> list[float]:
        """Return a temperature for each day, in degrees Celsius."""
        return [15 + (day * 7 % 11) / 2 for day in range(days)]

    return weather


def make_server(container: Container) -> FastMCP[Any]:
    """Create the server; its lifespan validates the container and closes its resources."""
    server: FastMCP[Any] = FastMCP("statistics", lifespan=lambda _: running(container))

    @server.tool
    def mean(numbers: list[float]) -> float:
        """Return the mean of numbers."""
        return sum(numbers) / len(numbers)

    server.mount(make_weather(), namespace="weather")
    server.add_middleware(CoatcheckMiddleware(container))
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    make_server(Container(settings=Settings())).run(
        "http", host="127.0.0.1", port=parser.parse_args().port, log_level="warning", show_banner=False
    )
