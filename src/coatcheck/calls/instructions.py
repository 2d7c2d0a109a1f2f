"""The instructions about references, which a model receives once in a conversation."""

from collections.abc import Iterable
from typing import Any

LOOKS = ("get", "slice", "grep", "query")
"""The object tools that read an object, by the last part of their names."""

_REFERENCES = (
    "Large tool results are stored: you see a preview and a reference such as @obj_001. As any "
    "argument of any tool, give a reference or a path into it, such as @obj_001.items[3].name, in place of the value; "
    "within longer text {{@obj_001.title}}; @@obj_001 is literal."
)
_FILTER = "The server's tools take _filter, a jq filter on the result; the whole is kept."


def instructions_for(object_tools: Iterable[str], *, filters: bool) -> str:
    """Return the instructions about references for a model.

    ``filters``: tools take ``_filter`` without a mention in their schemas.
    """
    looks = [name for name in object_tools if name.endswith(LOOKS)]
    common = looks[0].removesuffix(LOOKS[0]).rstrip("_-") if len(looks) == len(LOOKS) else ""
    tools = f"the {common} tools" if common else ", ".join(looks)
    return " ".join([_REFERENCES, *([f"Look closer with {tools}."] if tools else []), *([_FILTER] if filters else [])])


DEFAULT = instructions_for((f"object_store_{name}" for name in LOOKS), filters=True)
"""The instructions for default settings; a constant, because the settings are slow to import."""
DECIDE = ("object_tools", "tool_prefix", "filter_argument")
"""The settings that change the instructions."""


def with_instructions(original: Any, added: str) -> str:
    """Add the instructions about references to a server's own instructions, if it has any."""
    return f"{original}\n\n{added}" if original and isinstance(original, str) else added
