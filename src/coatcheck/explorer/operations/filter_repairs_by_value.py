"""What a filter was meant to be, by the object that it is applied to: its keys, its lists."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from coatcheck.explorer.operations.filter_repairs import collected, repair, with_quoted_keys, without_name
from coatcheck.explorer.operations.foreign_filters import MOST_CHARACTERS

_KEY = re.compile(r"(?<![.$\w\"@\\])[A-Za-z_]\w{0,60}(?![\w(:])")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^'\n]*'")
_CONDITION = re.compile(r"[<>]|[=!]=|\b(?:test|contains|startswith|endswith)\(")
_WORDS = (
    " and or not if then elif else end as def reduce foreach try catch null true false import include label break"
    " length keys values add first last min max empty error type sort unique reverse floor ceil round sqrt range"
    " input now env path paths test match split join any all flatten tostring tonumber ascii_downcase ascii_upcase"
    " tojson fromjson to_entries from_entries in is like between select where from group by order limit desc asc "
)
"""Words of jq, and of SQL, that are left alone where keys lack their dot."""


def with_dots(program: str, names: Iterable[str]) -> str:
    """Return the filter with a dot before each word that is a key of the object; words elsewhere stay."""
    if len(program) > MOST_CHARACTERS:
        return program
    known = {name for name in names if f" {name} " not in _WORDS}
    strings = _STRING.findall(program)
    parts = _STRING.split(program)
    changed = [_KEY.sub(lambda found: _dotted(found, known), part) for part in parts]
    return "".join(part + string for part, string in zip(changed, [*strings, ""], strict=True))


def _dotted(found: re.Match[str], known: set[str]) -> str:
    before = found.string[: found.start()].rstrip()[-1:]
    after = found.string[found.end() :].lstrip()[:1]
    is_member = before in {"{", ","} and after in {",", "}"}  # {name} is a member of that name
    is_variable = not before and after == "="
    return found[0] if found[0] not in known or is_member or is_variable else f".{found[0]}"


def for_lists(program: str, key: str, value: Any) -> Iterator[str]:
    """Yield what a filter that asks a list for a key may have been meant to be, the likeliest first."""
    if len(program) > MOST_CHARACTERS:
        return
    step = rf"\.{re.escape(key)}\b"
    is_of_items = isinstance(value, list) and bool(value) and isinstance(value[0], dict) and key in value[0]
    if not key.isidentifier() or not (is_of_items or isinstance(value, dict) or key in {"length", "keys"}):
        return
    yield re.sub(r"\b(first|last)\(\.\)", r"\1", program)
    if key in {"length", "keys"}:
        yield re.sub(rf"{step}(?:\(\))?\s*$", f" | {key}", program).strip().removeprefix("| ")
    yield re.sub(rf"\|\s*{step}\s*$", f"| map(.{key})", program)
    yield re.sub(rf"([{{,]\s*){re.escape(key)}(?=\s*[,}}])", rf"\g<1>{key}: .[0].{key}", program)
    if isinstance(value, list):
        yield f"map({program})"
    else:
        lists = [name for name, member in value.items() if isinstance(member, list)] if isinstance(value, dict) else []
        yield from (f".{name} | {program}" for name in lists[:2] if name.isidentifier())
    each = re.sub(rf"(?<=[)\]\w]){step}", f"[].{key}", program, count=1)
    yield f"[{each}]"


def for_lines(program: str) -> tuple[str, ...]:
    """Return a filter applied to the lines of a text, and to the JSON in them."""
    return f'split("\\n") | {program}', f'split("\\n") | map(fromjson?) | {program}'


def variants(meant: str, value: Any, compiles: Callable[[str], bool]) -> Iterator[str]:
    """Yield a filter, and for a list the same of its items, as it is meant if it fails on the list."""
    yield meant
    if isinstance(value, list):
        yield collected(meant, compiles) or "empty"
        yield f"map(select({meant}))" if _CONDITION.search(meant) else f"map({meant})"


def repaired_for(program: str, value: Any, names: Sequence[str], repaired: str, compiles: Callable[[str], bool]) -> str:
    """Return the filter that fits an object: with dots or brackets where its keys need them; ``""`` if none is found.

    Args:
        program: A filter that does not compile.
        value: The object or part.
        names: Its keys.
        repaired: What the filter probably means, without knowledge of the object; may be empty.
        compiles: Whether a filter does.
    """
    dotted = program if program.lstrip()[:7].lower() == "select " else with_dots(program, names)
    if dotted != program and compiles(dotted):
        return dotted
    meant = without_name(program, value, compiles) or (repair(dotted, compiles) if dotted != program else "")
    if meant or (repaired and with_dots(repaired, names) == repaired):
        return meant or repaired
    return with_quoted_keys(program, names, compiles) or repaired


def list_hint(program: str, message: str, compiles: Callable[[str], bool]) -> str:
    """Suggest collecting the outputs in a list before a step that takes one."""
    if "as it is not an array" not in message and not (
        message.startswith(("Cannot iterate over number", "Cannot iterate over string")) and "| join(" in program
    ):
        return ""
    meant = collected(program, compiles)
    return f" Did you mean: {meant}" if meant else ""
