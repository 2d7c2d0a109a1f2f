"""Normalizes arguments of our own tools: JSON text, null for unset parameters, unknown names."""

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
            near = difflib.get_close_matches(str(name)[:MOST_NAME], names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ArgumentRejected(
                f"There is no argument {quoted(str(name))}.{hint} This tool takes {usage or 'none'}."
            )
    return {name: value for name, value in meant.items() if value is not None or name in required or name in nullable}
