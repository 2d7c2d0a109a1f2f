"""Searches a text: matching lines, with the lines around them."""

import re
from dataclasses import dataclass, field

from coatcheck.explorer.operations.clipping import ELLIPSIS, one_line

WHOLE_LINE_CHARACTERS = 240
AROUND_CHARACTERS = 100
"""Characters shown before and after a match in an overlong line."""
AROUND_ENCODED = 20
"""The same in a line without spaces."""
MOST_LINES_OF_A_MATCH = 20


@dataclass(slots=True)
class Hits:
    """Matches: all are counted, the first ones are shown."""

    skip: int  # matches at the start that are counted but not shown
    most: int  # maximum number of shown matches
    context: int = 0  # lines of a text before and after each match
    count: int = 0
    lines: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # line numbers of the matches that are shown, in a text

    def count_match(self) -> bool:
        """Count one match; return whether it is shown."""
        self.count += 1
        return self.count > self.skip and len(self.lines) < self.most


def search_lines(pattern: re.Pattern[str], text: str, prefix: str, hits: Hits) -> int:
    """Add one hit for each line in which a match starts, with all its lines; return the number of matches."""
    matches = 0
    line_number, counted_to = 0, 0
    line_end = -1
    shown_to = 0
    after: list[tuple[int, str]] = []
    for match in pattern.finditer(text):
        matches += 1
        begin = match.start()
        if begin <= line_end:
            continue
        line_end = _end_of_line(text, begin)
        if hits.count_match():
            line_number += text.count("\n", counted_to, begin)
            counted_to = begin
            line_start = text.rfind("\n", 0, begin) + 1
            shown = [prefix + f"{line_number}: " + _excerpt(text, line_start, line_end, match)]
            end = line_end
            for more in range(1, MOST_LINES_OF_A_MATCH):
                if match.end() <= end + 1 or end >= len(text):
                    break
                start, end = end + 1, _end_of_line(text, end + 1)
                shown.append(f"{prefix}{line_number + more}: {_cut(text, start, end)}")
            line_end = max(line_end, end)
            if hits.context:
                _add(hits, [line for number, line in after if number < line_number])
                before = _before(text, line_start, line_number, hits.context, shown_to, prefix)
                after, shown_to = _after(text, end, line_number + len(shown), hits.context, prefix)
                shown = [*before, *shown]
            hits.lines.append("\n".join(shown))
            hits.starts.append(line_number)
    _add(hits, [line for _, line in after])
    return matches


def _add(hits: Hits, lines: list[str]) -> None:
    """Add the lines after the last match; later lines may be matches themselves."""
    if lines:
        hits.lines[-1] = "\n".join([hits.lines[-1], *lines])


def _before(text: str, start: int, number: int, count: int, shown_to: int, prefix: str) -> list[str]:
    """The lines before a match that were not shown yet."""
    lines: list[str] = []
    while len(lines) < count and start > shown_to:
        end = start - 1
        start = text.rfind("\n", 0, end) + 1
        number -= 1
        lines.append(f"{prefix}{number}- {_cut(text, start, end)}")
    return lines[::-1]


def _after(text: str, end: int, number: int, count: int, prefix: str) -> tuple[list[tuple[int, str]], int]:
    """The lines after a match with their numbers, and their end."""
    lines: list[tuple[int, str]] = []
    while len(lines) < count and end + 1 < len(text):
        start, end = end + 1, _end_of_line(text, end + 1)
        lines.append((number, f"{prefix}{number}- {_cut(text, start, end)}"))
        number += 1
    return lines, min(end + 1, len(text))


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _cut(text: str, start: int, end: int) -> str:
    cut = one_line(text[start : min(end, start + WHOLE_LINE_CHARACTERS)].removesuffix("\r"))
    return cut if end - start <= WHOLE_LINE_CHARACTERS else cut + ELLIPSIS


def _excerpt(text: str, start: int, end: int, match: re.Match[str]) -> str:
    if end - start <= WHOLE_LINE_CHARACTERS:
        return one_line(text[start:end].removesuffix("\r"))
    begin = max(start, match.start() - AROUND_CHARACTERS)
    stop = min(end, max(min(match.end(), match.start() + WHOLE_LINE_CHARACTERS), match.start()) + AROUND_CHARACTERS)
    if not any(map(str.isspace, text[begin:stop])):  # encoded data, of which every few characters are a token
        begin = max(start, match.start() - AROUND_ENCODED)
        stop = min(stop, min(match.end(), match.start() + 2 * AROUND_ENCODED) + AROUND_ENCODED)
    before = ELLIPSIS if begin > start else ""
    after = ELLIPSIS if stop < end else ""
    return f"(offset {match.start()}) {before}{one_line(text[begin:stop])}{after}"
