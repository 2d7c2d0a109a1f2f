"""Follow a path through a value."""

import difflib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from coatcheck.errors import PathNotFound, counted, excerpt, quoted_name
from coatcheck.references.paths import Index, Key, Path, Slice, Step

OpenText = Callable[[str], Any]
"""Returns the list or dict of a text that is a document, or ``None`` for plain text."""

LINES = Key("lines")
"""The lines of a text: ``.lines[3:10]`` is a text of seven lines, ``.lines[3]`` is one line."""

SHOWN_KEYS = 12
KEYS_BESIDE_NEAR = 80
"""Maximum characters of all keys next to a suggestion, so that both fit on one line."""
COMPARED_KEYS = 500
COMPARED_ENDS, SHORTEST_END, LONGEST_END = 5_000, 3, 100
"""Keys whose ends are compared with a name of so many characters, and characters of such a key: paths end in names."""
COMPARED_CHARACTERS = 40
"""Longer names are not typos; comparing two of a hundred characters took as long as ten of these."""

COMPARED_IN_ALL = 6_000
"""Maximum characters of compared names, so that a look-up in a small object does not block the event loop."""


def walk(value: Any, path: Path, *, open_text: OpenText | None = None) -> Any:
    """Return the part of ``value`` at ``path``.

    ``open_text`` parses documents in strings, so that a path can continue in them.

    Raises:
        PathNotFound: Names the existing part of the path, and its keys or length.
    """
    for depth, step in enumerate(path.steps):
        if isinstance(value, str):
            value = _inside(value, step, open_text)
            if isinstance(value, _Lines) and step == LINES:
                continue
        if isinstance(step, Key):
            value = _member(value, step, path, depth)
        elif isinstance(step, Index):
            value = _item(value, step, path, depth)
        else:
            value = _part(value, step, path, depth)
    return list(value) if isinstance(value, _Lines) else value


def _inside(text: str, step: Step, open_text: OpenText | None) -> Any:
    """Return the value that a step applies to: the parsed document of a text, its lines, or the text itself."""
    opened = None if open_text is None else open_text(text)
    if step == LINES and not (isinstance(opened, dict) and LINES.name in opened):
        return _Lines(text.removesuffix("\n").split("\n"))
    return text if opened is None else opened


class _Lines(list[str]):
    """The lines of a text; a range of them is a text again."""


def _member(value: Any, step: Key, path: Path, depth: int) -> Any:
    if isinstance(value, dict):
        try:
            return value[step.name]
        except KeyError:
            raise _dead_end(path, depth, step, _no_such_key(value, step.name)) from None
    if isinstance(value, list) and step.name.isdecimal() and step.name.isascii() and len(step.name) <= SHOWN_KEYS:
        return _item(value, Index(int(step.name)), path, depth)
    advice = _shape(value)
    if isinstance(value, list) and value:
        is_name_of_the_list = depth + 1 < len(path.steps) and not isinstance(path.steps[depth + 1], Key)
        if is_name_of_the_list and not (isinstance(value[0], dict) and step.name in value[0]):
            advice += f"; leave out {excerpt(str(step))}"
        else:
            advice += f"; take an item first, such as [0]{excerpt(str(step))}, or use jq for all of them"
    elif isinstance(value, str) and "\n" in value:
        advice += "; its lines are lines[0:20], its characters [0:200]"
    raise _dead_end(path, depth, step, advice)


def _item(value: Any, step: Index, path: Path, depth: int) -> Any:
    if isinstance(value, str) and "\n" in value and depth + 1 < len(path.steps):
        raise _dead_end(path, depth, step, f"{_shape(value)}; its lines are lines{step}")
    if isinstance(value, (list, str)):
        try:
            return value[step.position]
        except IndexError:
            raise _dead_end(path, depth, step, _shape(value)) from None
    advice = _shape(value)
    if isinstance(value, dict):
        if str(step.position) in value:
            advice = f'an object, whose keys are quoted: ["{step.position}"]'
        else:
            lists = [key for key, member in islice(value.items(), SHOWN_KEYS) if isinstance(member, list)]
            rest = Path(path.steps[depth:])
            advice += f". {_keys(value)}"
            if len(lists) == 1:
                advice += f". Did you mean {excerpt(str(Key(str(lists[0]))))}{excerpt(str(rest))}?"
    raise _dead_end(path, depth, step, advice)


def _part(value: Any, step: Slice, path: Path, depth: int) -> Any:
    if isinstance(value, _Lines):
        return "\n".join(value[step.start : step.stop])
    if isinstance(value, (list, str)):
        return value[step.start : step.stop]
    raise _dead_end(path, depth, step, _shape(value) + ", which has no ranges")


def _dead_end(path: Path, depth: int, step: Step, there: str) -> PathNotFound:
    walked = str(Path(path.steps[:depth]))
    place = f'at "{excerpt(walked)}"' if walked else "at the root"
    return PathNotFound(f'"{excerpt(str(step))}" leads nowhere: {place} is {there}{"" if there.endswith("?") else "."}')


def _shape(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return f"a text of {counted(len(value), 'character')}"
    if isinstance(value, list):
        if not value:
            return "an empty list"
        return f"a list of {counted(len(value), 'item')} ([0] to [{len(value) - 1}])"
    return f"an object with {counted(len(value), 'key')}" if isinstance(value, dict) else f"a {type(value).__name__}"


def _no_such_key(value: dict[Any, Any], name: str) -> str:
    inside = [key for key, member in islice(value.items(), SHOWN_KEYS) if isinstance(member, dict) and name in member]
    if inside:
        return f"an object without that key. Did you mean {excerpt(str(Path((Key(str(inside[0])), Key(name)))))}?"
    near = close_names(name, value)
    keys = _keys(value)
    if not near:
        return f"an object without that key. {keys}"
    known = f"{keys}. " if len(keys) <= KEYS_BESIDE_NEAR else ""
    return f"an object without that key. {known}Did you mean {' or '.join(excerpt(str(Key(key))) for key in near)}?"


def _keys(value: dict[Any, Any]) -> str:
    if not value:
        return "It is empty"
    shown = ", ".join(quoted_name(str(key), 40) for key in islice(value, SHOWN_KEYS))
    more = len(value) - SHOWN_KEYS
    return f"Its keys: {shown}" + (f" and {more:,} more" if more > 0 else "")


def close_names(name: str, known: Iterable[Any], count: int = 2) -> list[str]:
    """The most similar known names, best first; compares a bounded number of them."""
    if len(name) > COMPARED_CHARACTERS:
        return []
    folded: dict[str, str] = {}
    ending: list[str] = []
    left = COMPARED_IN_ALL
    sought = name.casefold()
    for place, key in enumerate(islice(known, COMPARED_ENDS)):
        candidate = str(key)
        if SHORTEST_END <= len(name) < len(candidate) <= LONGEST_END and candidate[-len(name) :].casefold() == sought:
            ending.append(candidate)
        if place < COMPARED_KEYS and len(candidate) <= COMPARED_CHARACTERS and left > 0:
            left -= len(candidate)
            folded.setdefault(candidate.casefold(), candidate)
    matches = [folded[match] for match in difflib.get_close_matches(sought, folded, n=count, cutoff=0.6)]
    if matches and matches[0].casefold() == sought:
        return matches
    parts = [candidate for candidate in ending if not candidate[-len(name) - 1].isalnum()]
    return [*sorted(parts, key=len), *(match for match in matches if match not in parts)][:count]
