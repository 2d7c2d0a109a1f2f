"""The small MCP server that ``coatcheck demo`` wraps; it does not use coatcheck: ``python -m …demo_server``."""

from typing import Any

from mcp.server import MCPServer

CUSTOMERS = ("Ada", "Bela", "Chidi", "Dunja", "Emre", "Fatou")
ARTICLES = ("lamp", "chair", "desk", "shelf", "rug")

server: MCPServer[Any] = MCPServer("demo")


@server.tool()
def list_orders(count: int = 2000) -> list[dict[str, Any]]:
    """List orders, newest first."""
    return [
        {
            "order_id": 10_000 + number,
            "customer": CUSTOMERS[number % len(CUSTOMERS)],
            "items": [
                {"article": ARTICLES[(number + position) % len(ARTICLES)], "price": 10 + (number * 7 + position) % 90}
                for position in range(1 + number % 3)
            ],
        }
        for number in range(count, 0, -1)
    ]


@server.tool()
def total(orders: list[dict[str, Any]]) -> int:
    """Add up the prices of orders."""
    return sum(item["price"] for order in orders for item in order["items"])


if __name__ == "__main__":
    server.run()
