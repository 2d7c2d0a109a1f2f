"""TOML, INI and files of ``name=value`` lines as objects. Values of TOML have their types; all others are texts."""

import datetime
import re
import tomllib
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import Opened

MOST_CHARACTERS = 400_000
"""Longer texts stay plain text, as with YAML: an operation has two seconds."""
FEWEST_LINES = 3
JUDGED = 20
"""Lines of ``name=value`` that are looked at before all of them are."""
_SECTION = late_pattern(r"^[ \t]*\[{1,2}[\w.\"'/:@ +-]{1,200}\]{1,2}[ \t]*(?:[#;][^\n]*)?\r?$", re.MULTILINE)
_ENTRY = late_pattern(r"[ \t]*(?P<name>[^\s=:#;\[][^=:\n]{0,200}?)[ \t]*[=:][ \t]*(?P<value>[^\n]*)")
_PASSED_OVER = late_pattern(r"[ \t]*(?:[#;][^\n]*)?")
_ASSIGNED = late_pattern(r"^[ \t]*[\w.\"'-]{1,200}[ \t]*=", re.MULTILINE)

_LINE = late_pattern(r"[ \t]*(?:export +)?(?P<name>[A-Za-z_][\w./@:*\[\]-]{0,200})[ \t]*=[ \t]*(?P<value>[^\n]*)")
_FIRST_LINE = late_pattern(r"(?:[ \t]*(?:[#;][^\n]*)?\n)*[ \t]*(?:export +)?[A-Za-z_][\w./@:*\[\]-]{0,200}[ \t]*=")
_CONTINUED = late_pattern(r"(?<!\\)\\\r?\n[ \t]*")


def looks_like_toml_or_ini(head: str) -> bool:
    """Whether a text begins with ``[section]`` and ``name = value`` lines, and comments."""
    for line in head.split("\n", FEWEST_LINES)[:FEWEST_LINES]:
        if not (_PASSED_OVER.fullmatch(line.rstrip("\r")) or _SECTION.match(line) or _ASSIGNED.match(line)):
            return False
    return _SECTION.search(head) is not None and _ASSIGNED.search(head) is not None


def open_toml_or_ini(text: str) -> Opened | None:
    """Parse a TOML or INI file."""
    if len(text) > MOST_CHARACTERS:
        return None
    try:
        return Opened(_plain(tomllib.loads(text.replace("\r\n", "\n"))), "TOML")
    except (ValueError, RecursionError):
        pass
    value = _ini(text)
    return None if value is None else Opened(value, "INI")


def looks_like_assignments(head: str) -> bool:
    """Whether a text begins with ``name=value`` lines and comments, such as an environment or properties."""
    if _FIRST_LINE.match(head) is None:
        return False  # as most texts
    lines = _CONTINUED.sub("", head[: head.rfind("\n") + 1]).split("\n")
    filled = [line for line in lines[: 2 * JUDGED] if not _PASSED_OVER.fullmatch(line.rstrip("\r"))]
    return len(filled) >= FEWEST_LINES and all(map(_LINE.fullmatch, filled[:JUDGED]))


def open_assignments(text: str) -> Opened | None:
    """Return the values by their names; a name that stands twice has a list. Quotes around a value are left out."""
    value: dict[str, Any] = {}
    for line in _CONTINUED.sub("", text.replace("\r\n", "\n")).split("\n"):
        if _PASSED_OVER.fullmatch(line):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        given = found["value"].strip()
        is_quoted = len(given) > 1 and given[0] == given[-1] and given[0] in "\"'"
        value.setdefault(found["name"], []).append(given[1:-1] if is_quoted else given)
    if 2 * len(value) < sum(map(len, value.values())):
        return None  # blocks of the same names
    return Opened({name: given[0] if len(given) == 1 else given for name, given in value.items()}, "name=value lines")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return list(map(_plain, value))
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


def _ini(text: str) -> dict[str, Any] | None:
    """Read sections of entries; ``None`` if a name occurs twice, or a line has another form."""
    value: dict[str, Any] = {}
    section: dict[str, Any] = value
    last = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if _PASSED_OVER.fullmatch(line):
            continue
        heading = line.strip()
        if line[0] in " \t" and last and not heading.startswith("["):
            section[last] = f"{section[last]}\n{heading}"
        elif _SECTION.fullmatch(line) is not None:
            name = heading[1 : heading.rindex("]")]
            if name in value:
                return None
            section = value[name] = {}
            last = ""
        else:
            found = _ENTRY.fullmatch(line)
            if found is None or found["name"] in section:
                return None
            last = found["name"]
            section[last] = found["value"].rstrip()
    return value if any(isinstance(member, dict) and member for member in value.values()) else None
