"""Searches a structure: keys and scalar values, with the rows that contain them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from coatcheck.explorer.operations.clipping import bounded_json, scalar_json
from coatcheck.explorer.operations.searching_lines import WHOLE_LINE_CHARACTERS, Hits, search_lines
from coatcheck.references import Index, Key, Path, Step

ROW_CHARACTERS = 400
"""Maximum characters of a list item that is shown whole if one of its values matches."""

Link = tuple["Link", str | int] | None
"""The position of a part: the link of its container, and its key or index. Cheaper than a path while searching."""
Pending = list[tuple[Link, Iterator[tuple[str | int, Any]], Any]]


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
        place = next((entry for entry in reversed(self._pending) if _is_in_a_list(entry[0])), None)
        if place is not None and place[2] is self._row:
            return  # its row is already counted and shown
        row = None if place is None else _row(place[2])
        if row is not None and place is not None:
            self._row = place[2]
            self._rows += 1
        if self._hits.count_match():
            self._hits.lines.append(f"{path_of(link)}: {row or scalar_json(member, WHOLE_LINE_CHARACTERS)}")


def _is_in_a_list(link: Link) -> bool:
    return link is not None and isinstance(link[1], int)


def _row(value: Any) -> str | None:
    """Return a row as JSON if it is short."""
    text, is_whole = bounded_json(value, ROW_CHARACTERS)
    return text if is_whole else None


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
