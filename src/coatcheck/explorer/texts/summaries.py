"""Summarises long texts for previews, and suggests lines to read or patterns to search."""

import re
from dataclasses import dataclass
from itertools import pairwise

from coatcheck.errors import counted
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.log_summaries import (
    LEVELS,
    MOST_CHARACTERS,
    first_error,
    pattern_of,
    read_log,
    read_output,
    words_of,
    write_levels,
    write_log,
)
from coatcheck.explorer.texts.outlines import Entry, outline, write_outline
from coatcheck.explorer.texts.text_formats import OUTPUT

LIGHT = 2_000
"""Characters of a section that is suggested for reading."""
MOST_LINES = 60
FEWEST_ENTRIES = 2
LONG = 40
"""Lines from which a search for errors is suggested for a text without a format."""
FEW_LINES = 15
"""Lines of an error that are suggested for reading."""
WORST = 6
"""The first of the levels count as errors."""
_EACH = {"a diff": "^diff --git", "a plan of Terraform": "^  # .* be "}
"""Patterns of the parts of a text, which are searched for if its summary does not name all."""
_SIGNS = ("error: ", "failed: ", "failure: ", "fatal: ", "exception: ", "error[", "\nfailed ", "\nerror ", "\nfail ")
_REPORTED = late_pattern(
    r"^[^\w\n]{0,8}(?:[^\s:\]]{1,200}[:\]]{1,2} ){0,3}[\w.]{0,80}"
    r"(?:error|failed|failure|fatal|exception|fail)(?:: |\[| )",
    re.MULTILINE,
)
"""A line that begins with one, behind a time, a file or a program at most; sentences about errors do not."""
_COUNTED = late_pattern(r"\b[1-9]\d{0,6} (?:errors?|failed|failures|failing)\b")
"""What shows that a command failed, in lower case; texts about errors have other words."""
_ERROR_PATTERN = r"(?:error|fail|failed)\b"


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a text."""

    text: str = ""  # lines for a preview; may be empty
    section: tuple[int, int] | None = None  # first line and end of a part that is suggested for reading
    pattern: str = ""  # a regular expression that some of the lines match
    skipped: int = 0  # matches of the pattern that the summary names already
    counts: str = ""  # the counts, on one line
    name: str = ""  # the name of its first part, in the text's own words


def summarise(text: str, form: str, available: int) -> Summary:
    """Summarise a text of a recognised format in at most ``available`` characters."""
    if form == "log lines":
        log = read_log(text)
        most = sum(log.levels.values()) // 2
        level = next((level for level in LEVELS[:WORST] if 0 < log.levels[level] <= most), "")
        pattern = rf"\b{log.written.get(level, level)}\b" if level else words_of(log)
        return Summary(write_log(log, available), None, pattern, counts=write_levels(log))
    if form == OUTPUT:
        log = read_output(text)
        start = first_error(log)
        section = None if start is None else _from(text, start)
        return Summary(write_log(log, available), section, pattern_of(log), counts=write_levels(log))
    entries = outline(text, form)
    if len(entries) < FEWEST_ENTRIES:
        return Summary()
    noun = {"a diff": "file", "a git log": "commit"}.get(form)
    counts = counted(len(entries), noun) if noun else ""
    lead = f"{counts}:\n" if counts else ""
    parts = write_outline(entries, available - len(lead))
    if "\n" not in parts and not lead:
        parts = ""  # all entries have the same name
    section = _longest_section(text, entries) if form == "an accessibility snapshot" else _section(text, entries)
    shown = parts.count("\n")
    pattern = _EACH.get(form, "") if shown < len(entries) - 1 else ""
    skipped = shown - sum(entry.level < entries[0].level for entry in entries) if pattern else 0
    return Summary(lead + parts, section, pattern, skipped, counts, entries[0].name)


def error_pattern(text: str) -> str:
    """Return a pattern for errors if some lines of a text, such as the output of a command, report them."""
    lines = text.count("\n")
    if lines < LONG:
        return ""
    lower = text[:MOST_CHARACTERS].lower()
    if 0 < lower.count("\ncaused by: ") <= lines // 4:
        return "^caused by: |^exception"
    if not any(sign in lower for sign in _SIGNS) or _REPORTED.search(lower) is None:
        if not any(word in lower for word in (" error", " failed", " failures", " failing")):
            return ""
        if _COUNTED.search(lower) is None:
            return ""
    return _ERROR_PATTERN if 0 < len(re.findall(_ERROR_PATTERN, lower)) <= lines // 2 else ""


def _section(text: str, entries: list[Entry]) -> tuple[int, int] | None:
    """Choose a part from the middle that is short enough to read and long enough to be useful."""
    middle = len(entries) // 2
    lines = text.split("\n", entries[-1].line)
    for place in [*range(middle, len(entries) - 1), *range(middle)]:
        start, end = entries[place].line, entries[place + 1].line
        if 1 < end - start <= MOST_LINES and sum(map(len, lines[start:end])) <= LIGHT:
            return start, end
    return None


def _from(text: str, start: int) -> tuple[int, int] | None:
    """Choose lines from a given line on, up to a limit of their total size."""
    lines = text.split("\n", start + FEW_LINES + 1)[start : start + FEW_LINES]
    available, end = LIGHT, start
    for line in lines:
        available -= len(line) + 1
        if available < 0:
            break
        end += 1
    return (start, end) if end > start else None


def _longest_section(text: str, entries: list[Entry]) -> tuple[int, int] | None:
    """Choose the start of the longest part: the content between the controls of a page."""
    lines = text.split("\n")
    starts = [entry.line for entry in entries]
    length, start = max(
        ((end - start, start) for start, end in pairwise([*starts, len(lines)])), key=lambda part: part[0]
    )
    if length < FEW_LINES:  # the content is between all of them, as in a list of products
        start = starts[0]
    most = min(max(length, FEW_LINES), MOST_LINES, len(lines) - start)
    available, end = LIGHT, start
    while end < start + most and available >= len(lines[end]):
        available -= len(lines[end])
        end += 1
    return (start, end) if end > start else None
