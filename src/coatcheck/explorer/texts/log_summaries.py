"""Summarises a log: its time span, the number of lines of each level, repeated messages."""

import re
from collections import Counter
from dataclasses import dataclass, field

MOST_CHARACTERS = 2_000_000
WIDTH = 110
MOST_PATTERNS = 8
LEVELS = ("FATAL", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "TRACE")
_SAME = {"WARN": "WARNING", "ERR": "ERROR", "CRIT": "CRITICAL"}
_LEVEL = re.compile(r"\b(FATAL|CRITICAL|CRIT|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)\b")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d"
    r"|\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d|\d\d:\d\d:\d\d"
)
_STAMP = re.compile(r"^[\[(]?(?:\d{4}-\d\d-\d\d[T ])?[\dT:.,+ /-]{5,35}Z?[\])]?\s*")
_CHANGING = re.compile(
    r"\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,}){0,4}\b|\d+(?:[.,:]\d+)*|\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'"
    r"|(?<=\[)[\w.:-]{1,40}(?=\])"
)
_HEAD = 120
"""Characters at the start of a line that contain its time and level."""


@dataclass(slots=True)
class Pattern:
    """Lines that differ only in numbers and quoted words."""

    level: str
    first_line: int
    count: int = 0


@dataclass(slots=True)
class Log:
    """The summary of a log.

    Attributes:
        first: Time of the first line that has one, as written.
        last: Time of the last one.
        levels: Lines by level.
        patterns: Messages with ``#`` for their variable parts.
        is_whole: Whether the whole text was read.
    """

    first: str = ""
    last: str = ""
    levels: Counter[str] = field(default_factory=Counter)
    patterns: dict[str, Pattern] = field(default_factory=dict)
    is_whole: bool = True


def read_log(text: str) -> Log:
    """Read a log, at most its first ``MOST_CHARACTERS`` and its last line."""
    log = Log(is_whole=len(text) <= MOST_CHARACTERS)
    for number, line in enumerate(text[:MOST_CHARACTERS].split("\n")):
        head = line[:_HEAD]
        time = _TIME.search(head)
        if time is not None:
            log.first = log.first or time.group()
            log.last = time.group()
        level = _LEVEL.search(head)
        if level is None and time is None:
            continue  # the rest of the message above
        name = _SAME.get(level.group(), level.group()) if level is not None else ""
        if name:
            log.levels[name] += 1
        message = " ".join(_CHANGING.sub("#", _STAMP.sub("", line[: 2 * WIDTH])).split())
        pattern = log.patterns.get(message)
        if pattern is None:
            if len(log.patterns) >= MOST_CHARACTERS // 100:
                continue
            pattern = log.patterns[message] = Pattern(name, number)
        pattern.count += 1
    if not log.is_whole:
        end = _TIME.search(text[-2000:].rstrip("\n").rpartition("\n")[2][:_HEAD])
        log.last = end.group() if end is not None else log.last
    return log


def write_levels(log: Log) -> str:
    """Write the number of lines of each level, the most severe first."""
    return ", ".join(f"{log.levels[level]:,} {level}" for level in LEVELS if log.levels[level])


def write_log(log: Log, room: int) -> str:
    """Write a summary in at most ``room`` characters: the time span and the levels, then messages by weight."""
    levels = write_levels(log)
    span = f"From {log.first} to {log.last}" if log.first else ""
    counted = levels if log.is_whole or not levels else f"in its first {MOST_CHARACTERS:,} characters: {levels}"
    head = ". ".join(filter(None, [span, counted]))
    if not head or len(head) > room:
        return ""
    lines = [head + "."]
    room -= len(lines[0])
    for message, pattern in _by_weight(log):
        line = f"{pattern.count:,} x {message[:WIDTH]} (first: line {pattern.first_line})"
        room -= len(line) + 1
        if room < 0 or len(lines) > MOST_PATTERNS:
            break
        lines.append(line)
    return "\n".join(lines)


def _by_weight(log: Log) -> list[tuple[str, Pattern]]:
    """Order messages: errors first, then frequent ones."""
    order = {level: place for place, level in enumerate(LEVELS)}
    found = [(message, pattern) for message, pattern in log.patterns.items() if message]
    return sorted(found, key=lambda item: (min(order.get(item[1].level, 9), 4), -item[1].count))
