"""Blocks of ``Name: value`` lines, each of which begins with the same name: found pages, packages, headers of mails.

Lines of another form continue the value above them. In calendars and address books (iCalendar, vCard) the lines between
``BEGIN:VEVENT`` and ``END:VEVENT`` are an object, and the objects of one kind a list. The parameters of a property are
members next to it (``DTSTART;TZID``). A property that occurs twice in an object is a list in all, with objects of value
and parameters if one of them has any.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.csv_tables import numbers_of
from coatcheck.explorer.texts.opened_text import Opened

FEWEST = 3
FEWEST_ALONE, MOST_ALONE = 6, 100
"""Minimum and maximum number of names of a single block."""
FEWEST_NAMES = 2
"""Minimum number of names that all blocks have."""
MOST_NAMES = 200
_FIELD = late_pattern(r"([A-Za-z][\w .()/-]{0,39})\t{0,9}:(?: +|\t+|$)|([A-Za-z][\w.-]{0,39}) *(?:=|\|) ?", re.ASCII)
_NAMED = late_pattern(r"([A-Za-z][\w .()/-]{0,39}):(?=\s|$)", re.ASCII)
_NUMBER = late_pattern(r"\d+")
_RULE = late_pattern(r"^-\[ RECORD \d{1,9} \]-*\+?-*\n", re.MULTILINE)
"""The heading of each row in psql's expanded output."""
_INDENTED = late_pattern(r"^ {1,40}(?=\S)", re.MULTILINE)
_CALENDAR = late_pattern(r"BEGIN:(VCALENDAR|VCARD)\r?\n", re.IGNORECASE)
_PROPERTY = late_pattern(
    r"(?:[\w-]{1,40}\.)?(?P<name>[A-Za-z0-9-]{1,60})(?P<parameters>(?:;[A-Za-z0-9-]{1,60}(?:=(?:\"[^\"\n]{0,2000}\"|"
    r"[^\";:\n]{0,2000}){1,9})?){0,20}):(?P<value>.*)"
)
_PARAMETER = late_pattern(r";([A-Za-z0-9-]+)(?:=((?:\"[^\"]*\"|[^\";])*))?")
_ESCAPED = late_pattern(r"\\([\\,;nN])")
MOST_LEVELS = 20


def looks_like_blocks(head: str) -> bool:
    """Whether a text begins with ``Name: value`` lines, the first of which occurs again."""
    head = _plain_lines(head)
    first = _FIELD.match(head)
    if first is None:
        return False
    lines = head.split("\n", 2)
    again = f"\n{head[: first.end()].rstrip()}"
    if len(lines) > 1 and _FIELD.match(lines[1]) is not None and again in head[first.end() :]:
        return True
    return _is_one_block([line for line in head.split("\n")[:-1] if line[:1].strip()])


def _is_one_block(lines: Sequence[str]) -> bool:
    """Whether all lines that are not indented have different names, as in the description of one object."""
    names = {found[1] for line in lines if (found := _NAMED.match(line)) is not None}
    kinds = {_NUMBER.sub("", name) for name in names}
    return FEWEST_ALONE <= len(names) == len(lines) <= MOST_ALONE and 2 * len(kinds) > len(names)


def open_blocks(text: str) -> Opened | None:
    """Return the blocks as objects."""
    text = _plain_lines(text.replace("\r\n", "\n"))
    first = _FIELD.match(text)
    if first is None:
        return None
    opener = _name(first)
    blocks: list[list[tuple[str, str]]] = []
    for line in text.split("\n"):
        found = _FIELD.match(line)
        name = "" if found is None else _name(found)
        if name == opener:
            blocks.append([])
        blocks[-1].append((name, line))
    if len(blocks) == 1 and _is_one_block([line for _, line in blocks[0] if line[:1].strip()]):
        names = {name for name, line in blocks[0] if line[:1].strip()}
        return Opened(_record(blocks[0], names), "named values")
    if len(blocks) < FEWEST:
        return None
    seen = Counter(name for block in blocks for name in {name for name, _ in block if name})
    common = {name for name, count in seen.items() if 2 * count >= len(blocks)}
    complete = len(blocks) - 1  # the last one may be cut off
    if sum(seen[name] >= complete for name in common) < FEWEST_NAMES or len(seen) > MOST_NAMES:
        return None
    records = [_record(block, common) for block in blocks]
    whole: list[dict[str, Any]] = [record for record in records if record is not None]
    return Opened(_with_numbers(whole), "blocks of named values") if len(whole) == len(records) else None


def _with_numbers(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Convert values that are numbers wherever they occur; of a version such as 1.10 a digit would be lost."""
    for name in dict.fromkeys(name for record in records for name in record):
        having = [record for record in records if name in record]
        numbers = numbers_of([record[name] for record in having]) or []
        pairs = list(zip(having, numbers, strict=False))
        if all(not record[name] or record[name] == str(number) for record, number in pairs):
            for record, number in pairs:
                record[name] = number
    return records


def _plain_lines(text: str) -> str:
    """Remove psql's heading of a record, and the spaces with which sqlite3 aligns names."""
    if text[:3] == "-[ ":
        text = _RULE.sub("", text)
    return _INDENTED.sub("", text) if text[:1] == " " else text


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2]


def _record(block: list[tuple[str, str]], common: set[str]) -> dict[str, str] | None:
    """Return a block as an object; ``None`` if a name occurs twice in it.

    A one-word name that few blocks have counts only while all lines above it are names or indented.
    """
    record: dict[str, list[str]] = {}
    last: list[str] = []
    only_names = True
    for name, line in block:
        if name in common or (name and only_names and " " not in name):
            if name in record:
                return None
            last = record[name] = [_FIELD.sub("", line, count=1).strip()]
        else:
            only_names = only_names and line[:1] in {" ", "\t"}
            last.append(line)
    return {name: "\n".join(lines).rstrip() for name, lines in record.items()}


def looks_like_calendar(head: str) -> bool:
    """Whether a text begins like a calendar or an address book."""
    return _CALENDAR.match(head) is not None


def open_calendar(text: str) -> Opened | None:
    """Return the cards of an address book as a list, or the object that a calendar is."""
    root: dict[str, Any] = {}
    waiting: list[tuple[str, dict[str, Any]]] = [("", root)]
    detailed: set[str] = set()
    repeated: set[str] = set()
    for line in re.sub(r"\r?\n[ \t]", "", text.rstrip()).splitlines():
        found = _PROPERTY.fullmatch(line)
        if found is None or len(waiting) > MOST_LEVELS:
            return None
        name, value = found["name"].upper(), found["value"]
        kind, here = waiting[-1]
        if name == "BEGIN":
            waiting.append((value.upper(), {}))
        elif name == "END":
            if value.upper() != kind:
                return None
            waiting.pop()
            waiting[-1][1].setdefault(kind, []).append(here)
        else:
            parameters = {key.upper(): given.strip('"') for key, given in _PARAMETER.findall(found["parameters"])}
            text_value = _ESCAPED.sub(lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], value)
            here.setdefault(name, []).append({**parameters, "value": text_value})
            if parameters:
                detailed.add(name)
            if len(here[name]) > 1:
                repeated.add(name)
    if len(waiting) > 1 or len(root) != 1:
        return None
    (kind, objects) = root.popitem()
    made = [_plain(each, detailed, repeated) for each in objects]
    if kind == "VCARD":
        return Opened(made, "vCard")
    return Opened(made[0] if len(made) == 1 else made, "iCalendar")


def _plain(component: dict[str, Any], detailed: set[str], repeated: set[str]) -> dict[str, Any]:
    """Write a component with lists where properties repeat; parameters of the others become members."""
    plain: dict[str, Any] = {}
    for name, entries in component.items():
        if not isinstance(entries[0].get("value"), str):
            plain[name] = [_plain(each, detailed, repeated) for each in entries]
        elif name in repeated:
            plain[name] = entries if name in detailed else [each["value"] for each in entries]
        else:
            plain[name] = entries[0].pop("value")
            plain |= {f"{name};{parameter}": given for parameter, given in entries[0].items()}
    return plain
