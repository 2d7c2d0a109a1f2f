"""Tools for replicas: one whose results are large, one that takes a value."""

from coatcheck.tool_factory import MemoryType, Registry, ToolConfig
from coatcheck.toolsets import Toolset


def text(size: int, word: str = "line") -> str:
    """Return a text of this many characters."""
    line = f"{word} of a text that is long enough to be kept\n"
    return (line * (size // len(line) + 1))[:size]


def measure(value: str) -> str:
    """Return the length of a text and its first word."""
    return f"{len(value)} {value.partition(' ')[0]}"


def make_tools() -> Registry:
    """Return the registry of tools."""
    return {
        "text": (text, ToolConfig(MemoryType.EXPLORABLE, annotations={"readOnlyHint": True})),
        "measure": (measure, ToolConfig(MemoryType.REFERENCEABLE, annotations={"readOnlyHint": True})),
    }


TOOLSET = Toolset("texts", make_tools, description="Texts of any size.")
