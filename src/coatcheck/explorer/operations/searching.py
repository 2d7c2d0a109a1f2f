"""``search``: where a pattern occurs, counted exactly, the first places shown."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from coatcheck.errors import PatternError, counted, excerpt
from coatcheck.explorer.operations.clipping import ELLIPSIS, Page, fill, one_line, scalar_json
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.references import Index, Key, Path, Step


def compile_pattern(pattern: str, *, case_sensitive: bool) -> re.Pattern[str]:
    """Compile a pattern in which ``^`` and ``$`` match at lines.

    Raises:
        PatternError: With the position of the fault.
    """
    flags = re.MULTILINE if case_sensitive else re.MULTILINE | re.IGNORECASE
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is no regular expression: {error.msg}{where}. '
            "Write a backslash before characters that are meant literally, such as ( [ { * + ? . | \\"
        ) from None
    except (RecursionError, OverflowError):
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is nested too deeply or repeats too often. Use a simpler one.'
        ) from None


WHOLE_LINE_CHARACTERS = 240
AROUND_CHARACTERS = 100
"""Shown before and after a match in a line too long to be shown whole."""

SHORTEST_HIT_CHARACTERS = 6
MOST_KEYS_SHOWN = 20

Link = tuple["Link", str | int] | None
"""The way to a part: the way to what it is in, and its key or position there. Cheaper than a path while searching."""


@dataclass(slots=True)
class Hits:
    """Matches: all of them counted, the first ones worded.

    Attributes:
        skip: Matches that are counted but not worded.
        most: Matches that are worded at the most.
    """

    skip: int
    most: int
    count: int = 0
    lines: list[str] = field(default_factory=list)

    def wants_more(self) -> bool:
        """Count one match, and say whether it is one to word."""
        self.count += 1
        return self.count > self.skip and len(self.lines) < self.most


def search(document: Document, args: dict[str, Any]) -> Answer:
    """Find a regular expression in a text's lines, or in all keys and scalar values of a structure.

    Args:
        document: The object.
        args: ``pattern``, ``case_sensitive`` (default false), ``start`` (matches to pass over), and the common ones.

    Raises:
        PatternError: The pattern does not compile.
    """
    pattern = compile_pattern(args["pattern"], case_sensitive=bool(args.get("case_sensitive")))
    value = locate(document, args.get("path") or "")
    limit = args["limit"]
    start = max(int(args.get("start") or 0), 0)
    hits = Hits(start, limit // SHORTEST_HIT_CHARACTERS + 1)
    keys = Hits(0, MOST_KEYS_SHOWN)
    if isinstance(value, str):
        matches = _search_text(pattern, value, "", hits)
        head = f"{_count(matches, 'match', 'matches')} in {_count(hits.count, 'line', 'lines')} of {place(args)}"
        head += " (lines and offsets counted from 0):" if hits.count else "."
    else:
        matches = _search_structure(pattern, value, hits, keys)
        head = f"{_count(hits.count, 'value', 'values')} and {_count(keys.count, 'key', 'keys')} of {place(args)} match"
        head += ":" if matches else "."
    if not matches:
        head += " " + _advice(args)
    page = Page(limit, head)
    lines = keys.lines + hits.lines if not start else hits.lines
    text = fill(page, lines, lambda shown: _left_out(shown, hits, keys))
    return Answer(text, facts={"matches": matches, "shown": page.count})


def _left_out(shown: int, hits: Hits, keys: Hits) -> str:
    shown_hits = max(shown - (0 if hits.skip else len(keys.lines)), 0)
    left = hits.count - hits.skip - shown_hits
    unnamed = 0 if hits.skip else keys.count - len(keys.lines)
    words = []
    if unnamed > 0:
        words.append(f"{ELLIPSIS} {counted(unnamed, 'more matching key')}.")
    if left > 0:
        words.append(
            f"{ELLIPSIS} {left:,} more: narrow the pattern or the path, or go on with start={hits.skip + shown_hits}."
        )
    return " ".join(words)


def _advice(args: dict[str, Any]) -> str:
    if args.get("case_sensitive"):
        return "Upper and lower case were told apart; try without."
    return "Try a shorter pattern, or one word of it."


def _search_text(pattern: re.Pattern[str], text: str, prefix: str, hits: Hits) -> int:
    """Add one hit for each line that matches; gives the number of matches."""
    matches = 0
    line_number, counted_to = 0, 0
    line_end = -1
    for match in pattern.finditer(text):
        matches += 1
        begin = match.start()
        if begin <= line_end:
            continue
        line_end = text.find("\n", begin)
        if line_end < 0:
            line_end = len(text)
        if hits.wants_more():
            line_number += text.count("\n", counted_to, begin)
            counted_to = begin
            line_start = text.rfind("\n", 0, begin) + 1
            hits.lines.append(prefix + f"{line_number}: " + _excerpt(text, line_start, line_end, match))
    return matches


def _excerpt(text: str, start: int, end: int, match: re.Match[str]) -> str:
    if end - start <= WHOLE_LINE_CHARACTERS:
        return one_line(text[start:end].removesuffix("\r"))
    begin = max(start, match.start() - AROUND_CHARACTERS)
    stop = min(end, max(min(match.end(), match.start() + WHOLE_LINE_CHARACTERS), match.start()) + AROUND_CHARACTERS)
    before = ELLIPSIS if begin > start else ""
    after = ELLIPSIS if stop < end else ""
    return f"(offset {match.start()}) {before}{one_line(text[begin:stop])}{after}"


def _search_structure(  # noqa: C901, PLR0912  # the hot loop: millions of members within the deadline
    pattern: re.Pattern[str], value: Any, hits: Hits, keys: Hits
) -> int:
    """Search all keys and scalars, in the document's order, with no recursion and no path made before it is shown."""
    if not isinstance(value, (dict, list)):
        if pattern.search(_SCALARS.get(type(value), _any_scalar)(value)) and hits.wants_more():
            hits.lines.append(scalar_json(value, WHOLE_LINE_CHARACTERS))
        return hits.count
    found_keys: dict[str, bool] = {}
    pending: list[tuple[Link, Iterator[tuple[str | int, Any]]]] = [(None, _members_of(value))]
    find, as_text = pattern.search, _SCALARS
    while pending:
        link, members = pending[-1]
        for step, member in members:
            if type(step) is str:
                known = found_keys.get(step)
                if known is None:
                    known = found_keys[step] = find(step) is not None
                if known and keys.wants_more():
                    keys.lines.append(f"{path_of((link, step))} (key)")
            kind = type(member)
            if kind is str:
                if len(member) > WHOLE_LINE_CHARACTERS:
                    _search_text(pattern, member, f"{path_of((link, step))} line ", hits)
                elif find(member) and hits.wants_more():
                    hits.lines.append(f"{path_of((link, step))}: {scalar_json(member, WHOLE_LINE_CHARACTERS)}")
            elif kind is dict or kind is list:
                pending.append(((link, step), _members_of(member)))
                break
            elif member is not None and find(as_text[kind](member)) and hits.wants_more():
                hits.lines.append(f"{path_of((link, step))}: {scalar_json(member, WHOLE_LINE_CHARACTERS)}")
        else:
            pending.pop()
    return hits.count + keys.count


_QUICK = 10**18


def _any_scalar(value: Any) -> str:
    return scalar_json(value, WHOLE_LINE_CHARACTERS)


_SCALARS: dict[type, Callable[[Any], str]] = {
    bool: {True: "true", False: "false"}.__getitem__,
    float: float.__repr__,
    int: lambda number: str(number) if -_QUICK < number < _QUICK else _any_scalar(number),
}
"""The JSON of scalars, the quick way where there is one; ``str`` refuses very long integers."""


def _members_of(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def path_of(link: Link) -> str:
    """Give the canonical path of a part."""
    steps: list[Step] = []
    while link is not None:
        link, step = link
        steps.append(Key(step) if isinstance(step, str) else Index(step))
    return str(Path(tuple(reversed(steps))))


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
