"""The matches of a search: lines of a text, and keys and values of a structure with the rows that contain them."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from coatcheck.explorer.operations.clipping import ELLIPSIS, bounded_json, one_line, scalar_json
from coatcheck.references import Index, Key, Path, Step

WHOLE_LINE_CHARACTERS = 240
AROUND_CHARACTERS = 100
"""Characters shown before and after a match in an overlong line."""
AROUND_ENCODED = 20
"""The same in a line without spaces."""
MOST_LINES_OF_A_MATCH = 20

ROW_CHARACTERS = 400
"""Maximum characters of a list item that is shown whole if one of its values matches."""

Link = tuple["Link", str | int] | None
"""The position of a part: the link of its container, and its key or index. Cheaper than a path while searching."""
Pending = list[tuple[Link, Iterator[tuple[str | int, Any]], Any]]


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


def search_other(pattern: re.Pattern[str], lines: Iterable[tuple[int, str]], hits: Hits) -> int:
    """Add a hit for each matching line that a structure leaves out, given with its number; return their number."""
    found = 0
    for number, line in lines:
        match = pattern.search(line)
        if match is not None:
            found += 1
            if hits.count_match():
                hits.lines.append(f".lines[{number}]: {_excerpt(line, 0, len(line), match)}")
    return found


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


def search_values(pattern: re.Pattern[str], value: Any, hits: Hits, keys: Hits) -> int:
    """Search all keys and scalars in document order; return how many hits are rows, each of which counts once."""
    if not isinstance(value, (dict, list)):
        if pattern.search(_SCALARS.get(type(value), _any_scalar)(value)) and hits.count_match():
            hits.lines.append(scalar_json(value, WHOLE_LINE_CHARACTERS))
        return 0
    return _Search(pattern, hits, keys).run(value)


class _Search:
    """A walk without recursion that builds only the paths that are shown."""

    def __init__(self, pattern: re.Pattern[str], hits: Hits, keys: Hits) -> None:
        self._find = pattern.search
        self._pattern = pattern
        self._hits = hits
        self._keys = keys
        self._pending: Pending = []
        self._row: Any = None
        self._rows = 0

    def run(self, value: dict[str, Any] | list[Any]) -> int:
        """Run the search; a hot loop over millions of members."""
        found_keys: dict[str, bool] = {}
        pending, find, as_text = self._pending, self._find, _SCALARS
        pending.append((None, _members_of(value), value))
        while pending:
            link, members, _ = pending[-1]
            for step, member in members:
                if type(step) is str and step not in found_keys:
                    # A name in many rows counts as one key.
                    found_keys[step] = find(step) is not None
                    if found_keys[step] and self._keys.count_match():
                        self._keys.lines.append(f"{path_of((link, step))} (key)")
                kind = type(member)
                if kind is dict or kind is list:
                    pending.append(((link, step), _members_of(member), member))
                    break
                if kind is str and len(member) > WHOLE_LINE_CHARACTERS:
                    search_lines(self._pattern, member, f"{path_of((link, step))} line ", self._hits)
                elif member is not None and find(member if kind is str else as_text[kind](member)):
                    self._found((link, step), member)
            else:
                pending.pop()
        return self._rows

    def _found(self, link: Link, member: Any) -> None:
        place = next((entry for entry in reversed(self._pending) if entry[0] and isinstance(entry[0][1], int)), None)
        if place is not None and place[2] is self._row:
            return  # its row is already counted and shown
        row = ""
        if place is not None:
            text, is_short = bounded_json(place[2], ROW_CHARACTERS)
            if is_short:
                row, self._row = text, place[2]
                self._rows += 1
        if self._hits.count_match():
            self._hits.lines.append(f"{path_of(link)}: {row or scalar_json(member, WHOLE_LINE_CHARACTERS)}")


_QUICK = 10**18


def _any_scalar(value: Any) -> str:
    return scalar_json(value, WHOLE_LINE_CHARACTERS)


_SCALARS: dict[type, Callable[[Any], str]] = {
    bool: {True: "true", False: "false"}.__getitem__,
    float: float.__repr__,
    int: lambda number: str(number) if -_QUICK < number < _QUICK else _any_scalar(number),
}
"""The JSON of scalars, by the fastest method; ``str`` refuses very long integers."""


def _members_of(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def path_of(link: Link) -> str:
    """Return the canonical path of a part."""
    steps: list[Step] = []
    while link is not None:
        link, step = link
        steps.append(Key(step) if isinstance(step, str) else Index(step))
    return str(Path(tuple(reversed(steps))))
