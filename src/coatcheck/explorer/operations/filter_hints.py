"""Hints for filters that are not jq, fail, or return nothing because of missing keys."""

import re
from typing import Any

from coatcheck.errors import quoted_name
from coatcheck.references import close_names

MOST_NAMES = 3
LOOKED_AT = 200_000
"""Characters of the object that are searched for similar names."""
_UNDEFINED = re.compile(r"\b(\w{1,60})/0 is not defined")
_ASKED_FOR = re.compile(r"\.([A-Za-z_]\w{0,60})\b(?!\s*\()")
_MADE = re.compile(r"[{,]\s*\"?([A-Za-z_]\w{0,60})")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_KEYS = re.compile(r"\"([^\"\\]{1,60})\"\s*:")


def compile_hint(program: str, message: str) -> str:
    """Suggest a correction if a filter starts like a path of another language."""
    begun = program.lstrip()
    if begun.startswith("$."):
        return " A filter begins at the object with a dot, without $: .items[0]."
    undefined = _UNDEFINED.search(message)
    if undefined is not None and begun.startswith(undefined[1]):
        return f" A key is written with a dot before it: .{undefined[1]}."
    return ""


def failure_hint(message: str) -> str:
    """Suggest a correction if a filter fails on the value."""
    if message.startswith(("Cannot iterate over null", "Cannot iterate over string")):
        return " Look at the structure first, with a path or `keys`; `.[]?` passes over what is no list."
    if message.startswith("Cannot index"):
        return " Look at the structure first; for each item of a list write `.[] | .name`."
    if message.startswith("obj_") and "is not a valid format" in message:
        return (
            " A filter begins at its own object with a dot, as in .items; other objects are bound by "
            'with: {"b": "@obj_2"} makes $b.'
        )
    return ""


def is_empty_result(value: Any) -> bool:
    """Whether a result suggests a misspelt key: null, 0, nothing, or a list of nulls."""
    if isinstance(value, list):
        return all(item is None for item in value)
    return value is None or (not value and value is not False and value != "")


def missing_keys(program: str, source: str) -> list[str]:
    """Name the keys of a filter that do not occur in the object, each with a similar one."""
    plain = _QUOTED.sub('""', program)
    made = set(_MADE.findall(plain))
    names = [name for name in dict.fromkeys(_ASKED_FOR.findall(plain)) if name not in made]
    missing = [name for name in names[: 4 * MOST_NAMES] if f'"{name}"' not in source][:MOST_NAMES]
    if not missing:
        return []
    known = dict.fromkeys(_KEYS.findall(source[:LOOKED_AT]))
    notes = []
    for name in missing:
        near = close_names(name, known, 1)
        notes.append(
            f"There is no key {name} in the object{f'; did you mean {quoted_name(near[0])}?' if near else '.'}"
        )
    return notes
