"""A server with one tool with many kinds of parameters, which returns what it received."""

import json
from typing import Any, Literal

from mcp.server import MCPServer
from pydantic import BaseModel


class Place(BaseModel):
    city: str
    zip: int = 0


def take(
    text: str = "",
    maybe: str | None = "unset",
    rows: list[int] | None = None,
    names: list[str] | None = None,
    options: dict[str, str] | None = None,
    either: list[Any] | dict[str, Any] | None = None,
    number: float | None = None,
    count: int | None = None,
    flag: bool | None = None,
    order: Literal["up", "down"] = "up",
    place: Place | None = None,
    number_or_text: float | str | None = None,
    anything: Any = None,
) -> str:
    """Take values."""
    given = {name: value for name, value in locals().items() if value not in (None, "", "unset", "up")}
    return json.dumps(given, default=lambda model: model.model_dump(), ensure_ascii=False)


def server() -> MCPServer:
    """The server with the undecorated tool."""
    made = MCPServer("taking")
    made.add_tool(take)
    return made


if __name__ == "__main__":
    server().run("stdio")
