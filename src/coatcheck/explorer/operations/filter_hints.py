"""Hints for filters that are not jq, fail, or return nothing because of missing keys."""

import re
from itertools import islice
from typing import Any

from coatcheck.errors import counted, excerpt, quoted_name
from coatcheck.explorer.operations.document import Document, locate
from coatcheck.references import close_names
from coatcheck.references.paths import Key, quote

SHOWN = 300
"""Characters of a suggested filter."""
MOST_NAMES = 3
LOOKED_AT = 200_000
"""Characters of the object that are searched for similar names."""
MOST_KEYS, MOST_CHARACTERS = 8, 30
"""Keys that are named, and characters of each."""
MOST_PLACES = 1_000
"""Places at which a key is looked for."""
_INDEXED = re.compile(r"Cannot index array with string \(?\"(.{1,60}?)\"\)?$")
_NO_NUMBER = re.compile(r"string \(\"(.{0,100}?)\"\) cannot be parsed as a number$", re.DOTALL)
_LEADING = re.compile(r"[\s(\[]*((?:\.[A-Za-z_]\w{0,60})+)")
_NAME = re.compile(r"[A-Za-z_]\w{0,60}")
_UNDEFINED = re.compile(r"\b(\w{1,60})/0 is not defined")
_ASKED_FOR = re.compile(r"\.([A-Za-z_]\w{0,60})\b(?!\s*\()")
_MADE = re.compile(r"[{,]\s*\"?([A-Za-z_]\w{0,60})")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_TAKEN = re.compile(r"\bfirst\((\d{1,6})\)")
_BRACES = re.compile(r"\"[^\"\n]*(?:\$?\{|\$\()\.[A-Za-z_][\w.]*[})][^\"\n]*\"")
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


def _hint_for_number(text: str) -> str:
    """Suggest how a text is read that is not written as jq writes numbers."""
    if re.fullmatch(r"-?\d{1,3}(?:\.\d{3})*,\d+|-?\d+,\d+", text) and not re.fullmatch(r"-?\d{1,3}(?:,\d{3})+", text):
        return ' With a decimal comma: gsub("[.]"; "") | gsub(","; ".") | tonumber'
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return ' With commas between thousands: gsub(","; "") | tonumber'
    if re.search(r"\d", text):
        return ' For its first number: capture("(?<n>-?[0-9]+([.][0-9]+)?)").n | tonumber'
    return " To skip what is not a number: tonumber?"


def missed_key(message: str) -> str:
    """Return the key that a filter asked of a list; ``""`` if it failed otherwise."""
    missed = _INDEXED.match(message)
    return "" if missed is None else missed[1]


def items_hint(message: str, value: Any, meant: str = "") -> str:
    """Suggest a correction if a filter applies a key to a list; ``value`` is what it was applied to.

    Args:
        message: jq's.
        value: The object or part.
        meant: A filter that works, if one was found.
    """
    missed = missed_key(message)
    if missed and meant:
        found = (
            f" This is a list of {counted(len(value), 'item')}: write" if isinstance(value, list) else " Did you mean:"
        )
        return f"{found} {meant}{'.' if isinstance(value, list) else ''}"
    return _hint_for_items(missed, value) if missed else ""


def failure_hint(message: str) -> str:
    """Suggest a correction if a filter fails on the value."""
    if message.startswith(("Cannot iterate over null", "Cannot iterate over string")):
        return " Look at the structure first, with a path or `keys`; `.[]?` skips what is not a list."
    if message.startswith("Cannot index"):
        return " Look at the structure first, with a path or `keys`."
    if message.startswith(("number (", "string (")) and "cannot be added" in message:
        return " Make a text of the number first: (.name | tostring)."
    number = _NO_NUMBER.match(message)
    if number is not None:
        return _hint_for_number(number[1])
    if message.startswith("obj_") and "is not a valid format" in message:
        return (
            " A filter begins at its own object with a dot, as in .items; other objects are bound by "
            'with: {"b": "@obj_2"} makes $b.'
        )
    return ""


def _hint_for_items(name: str, value: Any) -> str:
    """Suggest a correction if a key was asked of a list."""
    step = f".{name}" if _NAME.fullmatch(name) else f"[{quote(name)}]"
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, dict):
        return f" A list has no keys: for each item write .[] | {step if step[0] == '.' else f'.{step}'}."
    found = f" This is a list of {counted(len(value), 'item')}"
    if name in first:
        return f"{found}: write map({step if step[0] == '.' else f'.{step}'})."
    return f"{found} with the keys {_some(first)}: leave out {step}, or begin with .[]."


def misplaced_key(program: str, value: Any) -> str:
    """Suggest the path of a key that a filter's leading path expects elsewhere; ``""`` if nothing is wrong."""
    path = _LEADING.match(program)
    here = value
    for name in path[1].split(".")[1:] if path is not None else ():
        if not isinstance(here, dict):
            return ""
        if name not in here:
            place = _place_of(name, value)
            near = close_names(name, here, 1)
            if not place and near and path is not None:
                place = f"{path[1].partition(f'.{name}')[0]}{Key(near[0])}"
            at = f"; did you mean {excerpt(place)}?" if place else f", which has {_some(here)}."
            return f"There is no key {name} there{at}"
        here = here[name]
    return ""


def _some(value: dict[str, Any]) -> str:
    return ", ".join(quoted_name(str(key)[:MOST_CHARACTERS]) for key in islice(value, MOST_KEYS)) or "none"


def _place_of(name: str, value: Any) -> str:
    """Find a key by its nearest path through objects; ``""`` if it is not found."""
    places: list[tuple[str, Any]] = [("", value)]
    for path, here in places:
        if len(places) > MOST_PLACES or not isinstance(here, dict):
            continue
        if name in here:
            return f"{path}.{name}"
        places += [(f"{path}.{key}", member) for key, member in here.items() if _NAME.fullmatch(key)]
    return ""


def anchors_note(program: str, source: str) -> str:
    """Report that ``^`` and ``$`` are the ends of a text, where its lines were probably meant; ``""`` elsewhere."""
    if source[:1] != '"' or "\\n" not in source[:LOOKED_AT] or "split" in program or "(?m)" in program:
        return ""
    if not any(text.startswith('"^') or text.endswith('$"') for text in _QUOTED.findall(program)):
        return ""
    return '^ and $ match the ends of the whole text: for each line write "(?m)^…", or begin with split("\\n")'


def text_notes(program: str) -> list[str]:
    """Report what means something else in jq than in other languages, in a filter that ran."""
    notes = []
    taken = _TAKEN.search(program)
    if taken is not None:
        notes.append(f"{taken[0]} gives the number {taken[1]}: for that many items write .[:{taken[1]}]")
    if _BRACES.search(program) is not None:
        notes.append("A value inside a text is written \\(.name)")
    return notes


def is_empty_result(value: Any) -> bool:
    """Whether a result suggests a misspelt key: null, 0, nothing, or a list of nulls."""
    if isinstance(value, list):
        return all(item is None for item in value)
    return value is None or (not value and value is not False and value != "")


def key_names(source: str) -> list[str]:
    """Return the keys at the start of an object's JSON, each once."""
    return list(dict.fromkeys(_KEYS.findall(source[:LOOKED_AT])))


def _spelling(name: str) -> str:
    """Write a key as in a filter; a plain name needs no quotes."""
    return name if _NAME.fullmatch(name) else f".[{quote(excerpt(name))}]"


def missing_keys(program: str, source: str) -> list[str]:
    """Name the keys of a filter that do not occur in the object, each with a similar one."""
    plain = _QUOTED.sub('""', program)
    created = set(_MADE.findall(plain))
    names = [name for name in dict.fromkeys(_ASKED_FOR.findall(plain)) if name not in created]
    missing = [name for name in names[: 4 * MOST_NAMES] if f'"{name}"' not in source][:MOST_NAMES]
    if not missing:
        return []
    known = key_names(source)
    notes = []
    for name in missing:
        near = close_names(name, known, 1)
        notes.append(f"There is no key {name} in the object{f'; did you mean {_spelling(near[0])}?' if near else '.'}")
    return notes


def text_format_note(document: Document, args: dict[str, Any], meant: str) -> str:
    """Describe the input of a failed filter if it is a text or was parsed from one; ``meant`` works on its lines."""
    value = locate(document, args.get("path") or "")
    if not isinstance(value, str):
        return ""
    path = f"{args.get('path') or ''}.lines".removeprefix(".")
    opened = document.opened(value)
    if opened is not None:
        what = f"{counted(len(opened.value), 'item')}" if isinstance(opened.value, list) else "an object"
        return f' The text is read from {opened.format} as {what}; for its lines give path="{path}".'
    lines = counted(value.count("\n") + (not value.endswith("\n")), "line")
    how = f"write {excerpt(meant, SHOWN)}" if meant else f'begin with split("\\n") | map(…), or give path="{path}".'
    return f" This is a text of {lines}: {how}"


def input_of(document: Document, args: dict[str, Any]) -> Any:
    """Return what a filter was applied to, for a hint."""
    value = locate(document, args.get("path") or "")
    return document.open_text(value) or value if isinstance(value, str) else value


def without_own_reference(args: dict[str, Any]) -> str:
    """Suggest the filter without the reference to its own object; ``""`` if it has none."""
    own = str(args.get("reference", ""))
    meant = re.sub(rf"{re.escape(own)}(?![\w-])\.?", ".", args["filter"]) if own else args["filter"]
    return "" if meant == args["filter"] else f" Did you mean: {excerpt(meant, SHOWN)}"
