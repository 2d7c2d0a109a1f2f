"""Summarises a log: its time span, the number of lines of each level, repeated messages."""

import re
from collections import Counter
from dataclasses import dataclass, field

from coatcheck.explorer.late_patterns import late_pattern

MOST_CHARACTERS = 2_000_000
WIDTH = 110
MOST_PATTERNS = 8
MOST_WORDS = 4
MORE = 30
"""Characters for the number of what is left out."""
LEVELS = ("FATAL", "CRITICAL", "FAILED", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "TRACE")
_SAME = {"WARN": "WARNING", "ERR": "ERROR", "CRIT": "CRITICAL"}
_LEVEL = late_pattern(r"\b(FATAL|CRITICAL|CRIT|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)\b")
_TIME = late_pattern(
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d"
    r"|\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d|\d\d:\d\d:\d\d|(?<=\[) {0,8}\d{1,9}\.\d{6}(?=\])"
)
_NAMED_LEVEL = late_pattern(
    r"(?:\blevel=\"?|\[|\blvl=)(fatal|critical|crit|error|err|warning|warn|notice|info|debug|trace)\b", re.IGNORECASE
)
_WRONG = late_pattern(
    r"\b(?:error|fail(?:ed|ure|s)?|fatal|panic|denied|refused|unreachable|timed out|timeout|out of memory|killed"
    r"|exception|segfault|corrupt(?:ed)?)\b",
    re.IGNORECASE,
)
_DIAGNOSTIC = late_pattern(
    r"\b(?:(?P<level>fatal error|fatal|error|warning)(?:\[\w{1,20}\])?: |panicked at )", re.IGNORECASE
)
_FAILED = late_pattern(
    r" {0,12}(?:(?P<start>(?:FAILED|ERROR|FAIL|not ok|npm (?:ERR!|error)|--- FAIL)(?!\w)|[✖✗✘●])\W{1,4}\w"
    r"|test [^\n]{1,200} \.\.\. (?P<end>FAILED)$)"
)
_STAMP = late_pattern(
    r"^(?:[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,6})? \S{1,60} )"
    r"|^[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ])?[\dT:.,+ /-]{5,35}Z?[\])]?\s*"
)
_CHANGING = late_pattern(
    r"\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,}){0,4}\b|\d+(?:[.,:]\d+)*|\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'"
    r"|(?<=\[)[\w.:-]{1,40}(?=\])"
)
_SEARCHED = {
    "FATAL": r"\bfatal(?: error)?: ",
    "ERROR": r"\berror(?:\[\w+\])?: |panicked at ",
    "WARNING": r"\bwarning(?:\[\w+\])?: ",
}
"""Patterns that find the lines of a level in the output of a build."""
_HEAD = 120
"""Characters at the start of a line that contain its time and level."""


@dataclass(slots=True)
class Pattern:
    """Lines that differ only in numbers and quoted words; ``is_wrong`` if their words indicate an error."""

    level: str
    first_line: int
    example: str  # the first of the lines
    count: int = 0
    is_wrong: bool = False


@dataclass(slots=True)
class Log:
    """The summary of a log."""

    first: str = ""  # time of the first line that has one, as written
    last: str = ""  # time of the last one
    levels: Counter[str] = field(default_factory=Counter)  # lines by level
    patterns: dict[str, Pattern] = field(default_factory=dict)  # messages with `#` for their variable parts
    is_whole: bool = True  # whether the whole text was read
    # Lines without a level by the word in them that indicates an error.
    wrong: Counter[str] = field(default_factory=Counter)
    lines: int = 0  # lines that were counted
    written: dict[str, str] = field(default_factory=dict)  # levels as the log writes them
    signs: set[str] = field(default_factory=set)  # patterns of the words with which lines report failures


def read_log(text: str) -> Log:
    """Read a log, at most its first ``MOST_CHARACTERS`` and its last line."""
    log = Log(is_whole=len(text) <= MOST_CHARACTERS)
    for number, line in enumerate(text[:MOST_CHARACTERS].split("\n")):
        head = line[:_HEAD]
        time = _TIME.search(head)
        if time is not None:
            log.first = log.first or time.group()
            log.last = time.group()
        level = _LEVEL.search(head) or _NAMED_LEVEL.search(head)
        if level is None and time is None:
            continue  # the rest of the message above
        found = level.group(level.lastindex or 0).upper() if level is not None else ""
        name = _SAME.get(found, found)
        if level is not None:
            log.written.setdefault(name, level.group(level.lastindex or 0))
        message = _STAMP.sub("", line[: 2 * WIDTH])
        wrong = _WRONG.search(message) if not name else None
        if wrong is not None:
            log.wrong[wrong.group().lower()] += 1
        _count(log, name, message, number, is_wrong=wrong is not None)
    if not log.is_whole:
        end = _TIME.search(text[-2000:].rstrip("\n").rpartition("\n")[2][:_HEAD])
        log.last = end.group() if end is not None else log.last
    return log


def read_output(text: str) -> Log:
    """Read the output of a build or of tests: errors, warnings and failures, at any position in a line."""
    log = Log(is_whole=len(text) <= MOST_CHARACTERS)
    for number, whole in enumerate(text[:MOST_CHARACTERS].split("\n")):
        line = whole[: 2 * WIDTH]
        found = _DIAGNOSTIC.search(line)
        if found is not None:
            level = (found["level"] or "error").upper().removesuffix(" ERROR")
            _count(log, level, line[found.start() :], number)
        elif (failed := _FAILED.match(line)) is not None:
            log.signs.add("FAILED$" if failed["end"] else f"^ *{re.escape(failed['start'])}")
            _count(log, "FAILED", line, number)
    return log


def _count(log: Log, level: str, message: str, number: int, *, is_wrong: bool = False) -> None:
    """Count a line with the others that differ from it only in numbers and quoted words."""
    log.lines += 1
    if level:
        log.levels[level] += 1
    words = " ".join(message.split())
    folded = words if level == "FAILED" else _CHANGING.sub("#", words)  # numbers distinguish tests
    pattern = log.patterns.get(folded)
    if pattern is None:
        if len(log.patterns) >= MOST_CHARACTERS // 100:
            return
        pattern = log.patterns[folded] = Pattern(level, number, words, is_wrong=is_wrong)
    pattern.count += 1


def pattern_of(log: Log) -> str:
    """Return a pattern for the errors and failures in the output of a build or of tests, or else for the warnings."""
    found = [*sorted(log.signs), *(pattern for level, pattern in _SEARCHED.items() if log.levels[level])]
    return "|".join(found[:-1] if log.levels["WARNING"] and len(found) > 1 else found)


def words_of(log: Log) -> str:
    """Return a pattern for the rarest word that indicates an error, in a log without levels."""
    words: list[str] = []
    left = log.lines // 4
    for word, count in sorted(log.wrong.items(), key=lambda item: item[1]):
        left -= count
        if left < 0 or len(words) == MOST_WORDS:
            break
        words.append(word)
    return rf"\b(?:{'|'.join(words)})\b" if words else ""


def first_error(log: Log) -> int | None:
    """Return the line of the first message of the worst kind."""
    kinds = _by_weight(log)
    return kinds[0][1].first_line if kinds else None


def write_levels(log: Log) -> str:
    """Write the number of lines of each level, the most severe first."""
    return ", ".join(f"{log.levels[level]:,} {level}" for level in LEVELS if log.levels[level])


def write_log(log: Log, available: int) -> str:
    """Write a summary in at most ``available`` characters: the time span and the levels, then messages by weight."""
    levels = write_levels(log)
    span = f"From {log.first} to {log.last}" if log.first else ""
    counted = levels if log.is_whole or not levels else f"in its first {MOST_CHARACTERS:,} characters: {levels}"
    head = ". ".join(filter(None, [span, counted]))
    if not head or len(head) > available:
        return ""
    lines = [head + "."]
    available -= len(lines[0])
    for folded, pattern in _by_weight(log):
        message = folded if pattern.count > 1 else pattern.example
        line = f"{pattern.count:,} x {message[:WIDTH]} (first: line {pattern.first_line})"
        available -= len(line) + 1
        if available < MORE or len(lines) > MOST_PATTERNS:
            break
        lines.append(line)
    more = len(log.patterns) - len(lines) + 1
    return "\n".join([*lines, f"… {more:,} more kinds of lines"] if more and len(lines) > 1 else lines)


def _by_weight(log: Log) -> list[tuple[str, Pattern]]:
    """Order messages: errors first, then frequent ones."""
    order = {level: place for place, level in enumerate(LEVELS)}
    found = [(message, pattern) for message, pattern in log.patterns.items() if message]
    return sorted(found, key=lambda item: (_rank(item[1], order), -item[1].count))


def _rank(pattern: Pattern, order: dict[str, int]) -> int:
    return 0 if pattern.is_wrong else min(order.get(pattern.level, 9), 5)
