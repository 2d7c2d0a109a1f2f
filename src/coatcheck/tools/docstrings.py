"""Removes parameters from a docstring in Google, NumPy or Sphinx style."""

import inspect
import re
from collections.abc import Collection

_GOOGLE_HEADER = re.compile(r"(Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Other Parameters):\s*$")
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(\([^)]*(\([^)]*\)[^)]*)*\))?\s*:")
_NUMPY_HEADER = re.compile(r"(Parameters|Other Parameters|Keyword Arguments|Keyword Args)\s*$")
_UNDERLINE = re.compile(r"-{3,}\s*$")
_NUMPY_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(\s*,\s*\*{0,2}\w+)*)(?P<rest>\s*(:.*)?)$")
_SPHINX_FIELD = re.compile(r"[:@](param|parameter|arg|argument|key|keyword|type)\b(?P<what>[^:]*):")


def without_parameters(doc: str, names: Collection[str]) -> str:
    """The docstring, cleaned of indentation, without what it says about the parameters ``names``.

    A section that loses its last entry goes with it. A docstring that mentions none of them stays as written.
    """
    lines = inspect.cleandoc(doc).splitlines()
    kept = _drop_fields(_drop_from_sections(lines, names), names)
    if kept == lines:
        return doc
    return "\n".join(_squeezed(kept))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _block_end(lines: list[str], start: int, indent: int) -> int:
    """The index after the last line from ``start`` on that is indented deeper than ``indent``."""
    end = start
    for index in range(start, len(lines)):
        if lines[index].strip():
            if _indent(lines[index]) <= indent:
                break
            end = index + 1
    return end


def _drop_from_sections(lines: list[str], names: Collection[str]) -> list[str]:
    """Remove entries from sections of Google's and NumPy's style."""
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if _GOOGLE_HEADER.match(line.strip()):
            end = _block_end(lines, index, _indent(line))
            entries = _drop_google_entries(lines[index:end], names)
            kept += [line, *entries] if any(map(str.strip, entries)) or end == index else []
        elif _NUMPY_HEADER.match(line.strip()) and _is_underline(lines, index):
            following = (
                at for at in range(index + 1, len(lines)) if lines[at].strip() and _is_underline(lines, at + 1)
            )
            end = next(following, len(lines))
            entries = _drop_numpy_entries(lines[index + 1 : end], _indent(line), names)
            kept += [line, lines[index], *entries] if any(map(str.strip, entries)) else []
        else:
            kept.append(line)
            continue
        index = end
    return kept


def _drop_google_entries(lines: list[str], names: Collection[str]) -> list[str]:
    level = min((_indent(line) for line in lines if line.strip()), default=0)
    kept: list[str] = []
    dropping = False
    for line in lines:
        if line.strip() and _indent(line) == level:
            entry = _GOOGLE_ENTRY.match(line.strip())
            dropping = entry is not None and entry["name"] in names
        if not dropping:
            kept.append(line)
    return kept


def _is_underline(lines: list[str], index: int) -> bool:
    return index < len(lines) and _UNDERLINE.match(lines[index].strip()) is not None


def _drop_numpy_entries(lines: list[str], level: int, names: Collection[str]) -> list[str]:
    kept: list[str] = []
    dropping = False
    for line in lines:
        if not line.strip() or _indent(line) > level:
            if not dropping:
                kept.append(line)
            continue
        entry = _NUMPY_ENTRY.match(line.strip())
        listed = [name.strip() for name in entry["names"].split(",")] if entry else []
        left = [name for name in listed if name.lstrip("*") not in names]
        dropping = bool(listed) and not left
        if entry is None or left == listed:
            kept.append(line)
        elif left:
            kept.append(" " * level + ", ".join(left) + entry["rest"])
    return kept


def _drop_fields(lines: list[str], names: Collection[str]) -> list[str]:
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        found = _SPHINX_FIELD.match(line.strip())
        words = found["what"].split() if found else []
        if words and words[-1].lstrip("*\\") in names:
            index = _block_end(lines, index + 1, _indent(line))
        else:
            kept.append(line)
            index += 1
    return kept


def _squeezed(lines: list[str]) -> list[str]:
    """The lines without the doubled and trailing blank lines that a removed section leaves."""
    kept: list[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1].strip()):
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept
