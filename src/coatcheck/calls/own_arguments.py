"""Normalizes arguments of coatcheck's tools: JSON text, null for unset parameters, unknown names."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from coatcheck.codec import open_json_text
from coatcheck.errors import ArgumentRejected, quoted

SAME_AS = {
    **dict.fromkeys(("id", "ref", "reference", "object", "obj", "objectid", "object_ref"), ("object_id",)),
    **dict.fromkeys(("jq", "expression", "expr", "program", "jq_filter", "_filter"), ("filter",)),
    **dict.fromkeys(("query", "search", "text", "q"), ("filter", "pattern")),
    **dict.fromkeys(("regex", "regexp", "needle", "find"), ("pattern",)),
    **dict.fromkeys(("max", "max_results", "max_matches", "count", "top", "n", "head_limit"), ("limit", "end")),
    **dict.fromkeys(("offset", "skip", "from", "begin", "start_line", "line"), ("start",)),
    **dict.fromkeys(("stop", "to", "until", "limit", "end_line"), ("end",)),
    **dict.fromkeys(("range", "lines"), ("start",)),
    **dict.fromkeys(("key", "keys", "field", "fields", "json_path", "pointer", "location"), ("path",)),
    **dict.fromkeys(("ignore_case", "case_insensitive", "-i", "insensitive"), ("case_sensitive",)),
    **dict.fromkeys(("before", "after", "-a", "-b", "-c", "context_lines", "around"), ("context",)),
    **dict.fromkeys(("replace", "new", "with", "substitute"), ("replacement",)),
    **dict.fromkeys(("data", "json", "content", "object_value"), ("value",)),
}
"""Names that other tools have for parameters, and what they are called here."""
MOST_NAME = 100
"""Characters of an unknown name that are compared with the known ones."""


def normalized_arguments(
    arguments: Any, names: Collection[str], required: Collection[str], nullable: Collection[str] = ()
) -> dict[str, Any]:
    """Return the normalized arguments of a call: JSON text is parsed, ``null`` for an optional parameter is removed.

    Args:
        arguments: The arguments as they were sent.
        names: The parameters of the tool.
        required: The required ones.
        nullable: Those for which ``null`` is a valid value.

    Raises:
        ArgumentRejected: An argument is unknown, or the arguments are not an object.
    """
    meant = open_json_text(arguments) if isinstance(arguments, str) else {} if arguments is None else arguments
    usage = ", ".join(name if name in required else f"{name} (optional)" for name in names)
    if not isinstance(meant, Mapping):
        raise ArgumentRejected(f"The arguments must be an object. This tool takes {usage or 'none'}.")
    for name in meant:
        if name not in names:
            same = [each for each in SAME_AS.get(str(name)[:MOST_NAME].lower(), ()) if each in names]
            near = same or difflib.get_close_matches(str(name)[:MOST_NAME], names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ArgumentRejected(
                f"There is no argument {quoted(str(name))}.{hint} This tool takes {usage or 'none'}."
            )
    return {name: value for name, value in meant.items() if value is not None or name in required or name in nullable}
