"""Reads results of tools: their text, and references in it."""

import re
from typing import Any


def text_of(result: Any) -> str:
    """Return the text that a model reads of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def reference_in(text: str) -> str:
    """Return the first reference in a text."""
    found = re.search(r"@obj_[\w-]+", text)
    assert found, text[:300]
    return found[0]
