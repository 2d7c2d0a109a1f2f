"""What can be done next with an object, as calls with its real names."""

from coatcheck.previews.wording import quote
from coatcheck.references import Path, Reference

LONGEST = 400
"""Characters of one suggestion; longer ones are not made."""


def call(tool: str, target: Reference, **arguments: str | int) -> str:
    """Write a call of one of the object tools, ``""`` where it gets too long; the target's path is an argument.

    Args:
        tool: The tool's name behind ``object_store_``.
        target: Object and path.
        **arguments: The tool's other arguments.
    """
    given: dict[str, str | int] = {"object_id": f"@{target.object_id}"}
    if target.path:
        given["path"] = str(target.path)
    given.update(arguments)
    written = ", ".join(f"{name}={_argument(value)}" for name, value in given.items())
    text = f"object_store_{tool}({written})"
    return text if len(text) <= LONGEST else ""


def passing(target: Reference, part: Path) -> str:
    """Say that the reference, or a part of it, stands for its value in any tool's argument."""
    whole = str(target)
    if len(whole) > LONGEST:
        return "Give the reference as an argument of any tool, in place of the value."
    example = Reference(target.object_id, target.path.join(part.steps))
    also = f" or a part such as {example}" if part and len(str(example)) <= LONGEST else ""
    return f"Give {whole}{also} as an argument of any tool, in place of the value."


def _argument(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if '"' in value and "'" not in value and "\\" not in value:
        return f"'{value}'"
    return quote(value)
