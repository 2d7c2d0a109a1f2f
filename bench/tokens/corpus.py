"""The recorded results, as sent by the servers, and their contents as Python values."""

import functools
import gzip
import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TOOL_LISTS = Path(__file__).parent / "tool_lists.json.gz"


@functools.cache
def result(name: str) -> dict[str, Any]:
    """Return a recorded result."""
    recorded = json.loads(gzip.decompress((RESULTS / f"{name}.json.gz").read_bytes()))
    found: dict[str, Any] = recorded["result"]
    return found


def names() -> list[str]:
    """Return the names of all recorded results."""
    return sorted(file.name.removesuffix(".json.gz") for file in RESULTS.glob("*.json.gz"))


def text(name: str) -> str:
    """Return the text that a model reads of a result."""
    return "\n".join(block.get("text", "") for block in result(name)["content"])


@functools.cache
def data(name: str) -> Any:
    """Parse a result's text as JSON."""
    return json.loads(text(name))


def tool_lists() -> dict[str, list[dict[str, Any]]]:
    """Return the tools that real servers list, by server."""
    lists: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(TOOL_LISTS.read_bytes()))
    return lists
