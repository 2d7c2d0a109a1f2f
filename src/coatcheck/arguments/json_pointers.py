"""Local ``$ref`` pointers in a JSON schema."""

from typing import Any

Schema = dict[str, Any]
Pointer = tuple[str, ...]

DEFINITIONS = ("$defs", "definitions")
MOST_PARTS = 20_000
"""Maximum parts of a schema that is rewritten; a larger one stays unchanged."""


def follow(root: Any, reference: Any) -> Any:
    """Return the subschema of a local ``$ref``; ``None`` if it does not exist or is not local."""
    target = parse_pointer(reference)
    if target is None:
        return None
    found: Any = root
    for step in target:
        if isinstance(found, list) and step.isdecimal() and len(step) < 10 and int(step) < len(found):  # noqa: PLR2004
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return None
    return found


def parse_pointer(reference: Any) -> Pointer | None:
    """Return the steps of a local ``$ref``, ``()`` for ``#``; ``None`` for other text."""
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        return None
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in reference.split("/")[1:])


def objects_in(schema: Any) -> list[Schema] | None:
    """Return all objects in a schema, itself included; ``None`` if it has too many parts."""
    found: list[Schema] = []
    waiting = [schema]
    left = MOST_PARTS
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found.append(part)
            inner: Any = part.values()
        elif isinstance(part, list):
            inner = part
        else:
            continue
        left -= len(inner)
        if left < 0:
            return None
        waiting.extend(inner)
    return found


def local_targets(schema: Any) -> set[Pointer] | None:
    """Return the targets of all local ``$ref`` in a schema; ``None`` if it has too many parts."""
    objects = objects_in(schema)
    if objects is None:
        return None
    return {target for part in objects if (target := parse_pointer(part.get("$ref"))) is not None}


def is_definition(target: Pointer) -> bool:
    """Whether a pointer addresses a whole definition."""
    return len(target) == 2 and target[0] in DEFINITIONS  # noqa: PLR2004
