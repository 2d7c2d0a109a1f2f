"""TOML and INI files as objects. Values of TOML have their types; those of INI are the texts that they are."""

import datetime
import re
import tomllib
from typing import Any

MOST_CHARACTERS = 400_000
"""Longer texts stay plain text, as with YAML: an operation has two seconds."""
FEWEST_LINES = 3
_SECTION = re.compile(r"^[ \t]*\[{1,2}[\w.\"'/:@ +-]{1,200}\]{1,2}[ \t]*(?:[#;][^\n]*)?\r?$", re.MULTILINE)
_ENTRY = re.compile(r"[ \t]*(?P<name>[^\s=:#;\[][^=:\n]{0,200}?)[ \t]*[=:][ \t]*(?P<value>[^\n]*)")
_PASSED_OVER = re.compile(r"[ \t]*(?:[#;][^\n]*)?")
_ASSIGNED = re.compile(r"^[ \t]*[\w.\"'-]{1,200}[ \t]*=", re.MULTILINE)

Found = tuple[Any, str]


def looks_like_toml_or_ini(head: str) -> bool:
    """Whether a text begins with ``[section]`` and ``name = value`` lines, and comments."""
    for line in head.split("\n", FEWEST_LINES)[:FEWEST_LINES]:
        if not (_PASSED_OVER.fullmatch(line.rstrip("\r")) or _SECTION.match(line) or _ASSIGNED.match(line)):
            return False
    return _SECTION.search(head) is not None and _ASSIGNED.search(head) is not None


def open_toml_or_ini(text: str) -> Found | None:
    """Return what a TOML or INI file spells."""
    if len(text) > MOST_CHARACTERS:
        return None
    try:
        return _plain(tomllib.loads(text.replace("\r\n", "\n"))), "TOML"
    except (ValueError, RecursionError):
        pass
    value = _ini(text)
    return None if value is None else (value, "INI")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return list(map(_plain, value))
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value


def _ini(text: str) -> dict[str, Any] | None:
    """Read sections of entries; ``None`` if a name stands twice, or a line is of another form."""
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
