"""Hints about the object in errors of filters."""

import re
from typing import Any

from coatcheck.errors import counted, excerpt
from coatcheck.explorer.operations.document import Document, locate

SHOWN = 300
"""Characters of a suggested filter."""


def text_format_note(document: Document, args: dict[str, Any]) -> str:
    """Describe the input of a failed filter if it is a text or was parsed from one."""
    value = locate(document, args.get("path") or "")
    if not isinstance(value, str):
        return ""
    path = f"{args.get('path') or ''}.lines".removeprefix(".")
    opened = document.opened(value)
    if opened is not None:
        what = f"{counted(len(opened.value), 'item')}" if isinstance(opened.value, list) else "an object"
        return f' The text is read from {opened.format} as {what}; for its lines give path="{path}".'
    lines = counted(value.count("\n") + (not value.endswith("\n")), "line")
    return f' This is a text of {lines}: begin with split("\\n") | map(…), or give path="{path}".'


def input_of(document: Document, args: dict[str, Any]) -> Any:
    """Return what a filter was applied to, for a hint."""
    value = locate(document, args.get("path") or "")
    return document.open_text(value) or value if isinstance(value, str) else value


def without_own_reference(args: dict[str, Any]) -> str:
    """Suggest the filter without the reference to its own object; ``""`` if it has none."""
    own = str(args.get("reference", ""))
    meant = re.sub(rf"{re.escape(own)}(?![\w-])\.?", ".", args["filter"]) if own else args["filter"]
    return "" if meant == args["filter"] else f" Did you mean: {excerpt(meant, SHOWN)}"
