"""Arguments of our own tools as they are meant: one JSON text, null for what is not set, no unknown names."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from coatcheck.codec import open_json_text
from coatcheck.errors import ArgumentRejected, quoted

MOST_NAME = 100
"""Characters of an unknown name that are compared with the known ones."""


def normalized_arguments(
    arguments: Any, names: Collection[str], required: Collection[str], nullable: Collection[str] = ()
) -> dict[str, Any]:
    """Give the arguments of a call as they are meant: a JSON text parsed, ``null`` for an optional one left out.

    Args:
        arguments: What was given.
        names: The parameters of the tool.
        required: Those that must be given.
        nullable: Those that take ``null`` as a value of its own.

    Raises:
        ArgumentRejected: There is an argument that the tool does not have, or no object at all.
    """
    meant = open_json_text(arguments) if isinstance(arguments, str) else {} if arguments is None else arguments
    usage = ", ".join(name if name in required else f"{name} (optional)" for name in names)
    if not isinstance(meant, Mapping):
        raise ArgumentRejected(f"The arguments must be an object. This tool takes {usage or 'none'}.")
    for name in meant:
        if name not in names:
            near = difflib.get_close_matches(str(name)[:MOST_NAME], names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ArgumentRejected(
                f"There is no argument {quoted(str(name))}.{hint} This tool takes {usage or 'none'}."
            )
    return {name: value for name, value in meant.items() if value is not None or name in required or name in nullable}
