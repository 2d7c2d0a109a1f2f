"""The parts of a long text by line: headings, definitions, files of a diff, controls of a page.

All patterns are linear in the text, and only its first ``MOST_CHARACTERS`` are read.
"""

import html
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from coatcheck.errors import counted
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.code_outlines import Parts, code_parts, python_parts, sql_parts
from coatcheck.explorer.texts.section_outlines import (
    asciidoc_parts,
    branch_parts,
    indented_parts,
    latex_parts,
    path_parts,
    planned_parts,
    underlined_parts,
)
from coatcheck.explorer.texts.text_formats import OUTPUT

MOST_CHARACTERS = 2_000_000
MOST_ENTRIES = 5_000
WIDTH = 100
"""Maximum characters of an entry."""
FEWEST_HEADINGS = 2
MOST_SAME = 3
"""Maximum entries with the same name that are listed individually."""
_ID = late_pattern(r" ?\[(?:ref|cursor)=[^\]]*\]|^uid=\w+ ")
"""Attributes that distinguish controls of a page with the same name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a text: its line (counted from 0), its depth (from 1) and its name."""

    line: int
    level: int
    name: str


def outline(text: str, kind: str) -> list[Entry]:
    """Return the parts of a text of a format in ``KINDS``; empty if it has none."""
    find = KINDS.get(kind)
    if find is None:
        return []
    text = text[:MOST_CHARACTERS]
    entries: list[Entry] = []
    line = counted_to = 0
    for offset, level, name in find(text):
        line += text.count("\n", counted_to, offset)
        counted_to = offset
        shown = " ".join(name[: 2 * WIDTH].split())
        entries.append(Entry(line, level, shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 1]}…"))
        if len(entries) == MOST_ENTRIES:
            break
    return entries


def write_outline(entries: list[Entry], available: int) -> str:
    """Write entries with their lines in at most ``available`` characters, omitting the deepest levels first.

    If a level does not fit and the levels above it leave most of the limit, its first entries fill half of it. Omitted
    entries are counted.
    """
    entries = _without_repeated(entries)
    levels = sorted({entry.level for entry in entries}, reverse=True)
    for place, deepest in enumerate(levels):
        shown = [entry for entry in entries if entry.level <= deepest]
        left = len(entries) - len(shown)
        text = _outline_text(shown, f"… {left:,} deeper" if left else "")
        if len(text) <= available:
            return (
                _partial_outline(entries, levels[place - 1], available // 2)
                if left and 4 * len(text) < available
                else ""
            ) or text
    return _partial_outline(entries, levels[-1], available) if levels else ""


def _without_repeated(entries: list[Entry]) -> list[Entry]:
    """Return entries with only the first of those that have the same name many times, such as the buttons of rows."""
    names = [(entry.level, _ID.sub("", entry.name)) for entry in entries]
    counts = Counter(names)
    seen: set[tuple[int, str]] = set()
    kept: list[Entry] = []
    for entry, name in zip(entries, names, strict=True):
        if counts[name] <= MOST_SAME:
            kept.append(entry)
        elif name not in seen:
            seen.add(name)
            kept.append(Entry(entry.line, entry.level, f"{entry.name} ({counts[name]:,} times)"))
    return kept


def _partial_outline(entries: list[Entry], deepest: int, available: int) -> str:
    """Write as many of the entries down to a level as fit, the first ones of the deepest; ``""`` if none fits."""
    deep = [entry for entry in entries if entry.level == deepest]
    count = len(deep)
    while count:
        count = count * 3 // 4
        last = deep[count - 1].line if count else -1
        shown = [entry for entry in entries if entry.level < deepest or (entry.level == deepest and entry.line <= last)]
        text = _outline_text(shown, f"… {len(entries) - len(shown):,} more")
        if shown and len(text) <= available:
            return text
    return ""


def _outline_text(entries: list[Entry], remark: str) -> str:
    top = min((entry.level for entry in entries), default=1)
    lines = [f"{entry.line}| {'  ' * (entry.level - top)}{entry.name}" for entry in entries]
    return "\n".join([*lines, remark] if remark else lines)


_MARKDOWN = late_pattern(r"^(?:(?P<fence>```|~~~)|(?P<marks>#{1,6}) +(?P<name>\S[^\n]{0,300}))", re.MULTILINE)
_HEADING = late_pattern(r"<h([1-6])(?: [^<>]{0,300})?>(.{0,400}?)</h\1>", re.IGNORECASE | re.DOTALL)
_ANCHOR = late_pattern(
    r"<(?:section|article|div|table|form|main|nav|a)\b[^<>\"]{0,80}(?:\"[^<>\"]{0,80}\"[^<>\"]{0,80}){0,3}?"
    r"\b(?:id|name)=\"([^\"<>]{1,80})\"",
    re.IGNORECASE,
)
_TAG = late_pattern(r"<[^<>]{0,500}>")
_DIFF = late_pattern(r"^diff --git a/(?P<name>[^\n]{1,300}?) b/[^\n]{1,300}$", re.MULTILINE)
_COMMIT = late_pattern(
    r"\n(?:commit |Commit: '?)(?P<id>[0-9a-f]{7})[0-9a-f]{0,33}\b[^\n]{0,200}\n"
    r"(?:(?!commit |Commit: )[^\n]{0,300}\n){0,8}?(?:Message: '?| {4})(?P<message>[^\n]{1,200})"
)
_CHANGED = late_pattern(
    r"\n (?P<files>\d{1,6}) files? changed(?:, (?P<more>\d{1,9}) insertions?\(\+\))?(?:, (?P<less>\d{1,9}) deletions?)?"
)
_NODE = late_pattern(
    r"^(?P<indent> {0,80})(?P<name>(?:- |uid=\w{1,20} )(?P<role>[a-z]{2,20})(?: \"[^\n\"]{0,200}\")?[^\n]{0,100})",
    re.MULTILINE,
)
_CONTROLS = frozenset({
    "heading", "button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "switch", "slider",
    "spinbutton", "tab", "menuitem", "option", "dialog", "alert",
})  # fmt: skip


def _markdown(text: str) -> Parts:
    in_fence = ""
    for found in _MARKDOWN.finditer(text):
        fence = found["fence"]
        if fence:
            in_fence = fence if not in_fence else "" if fence == in_fence else in_fence
        elif not in_fence:
            yield found.start(), len(found["marks"]), f"{found['marks']} {found['name'].rstrip(' #')}"


def _html(text: str) -> Parts:
    headings = [
        (found.start(), int(found[1]), f"h{found[1]} {_words(found[2])}")
        for found in _HEADING.finditer(text)
        if _words(found[2])
    ]
    if len(headings) >= FEWEST_HEADINGS:
        yield from headings
        return
    for found in _ANCHOR.finditer(text):
        yield found.start(), 1 + ("-" in found[1] or "." in found[1]), f"#{found[1]}"


def _words(inside: str) -> str:
    return html.unescape(_TAG.sub(" ", inside)).strip()


def _diff(text: str) -> Parts:
    files = list(_DIFF.finditer(text))
    for place, found in enumerate(files):
        end = files[place + 1].start() if place + 1 < len(files) else len(text)
        added = text.count("\n+", found.end(), end) - text.count("\n+++ ", found.end(), end)
        removed = text.count("\n-", found.end(), end) - text.count("\n--- ", found.end(), end)
        yield found.start(), 1, f"{found['name']} +{added} -{removed}"


def _git_log(text: str) -> Parts:
    """Return the commits, each with its files and lines where the log has them (``--stat``)."""
    text = f"\n{text}"  # a line break is found more quickly than the beginning of a line
    commits = list(_COMMIT.finditer(text))
    ends = [*(found.start() for found in commits[1:]), len(text)]
    for found, end in zip(commits, ends, strict=False):
        changed = _CHANGED.search(text, found.end(), end)
        counts = ""
        if changed is not None:
            files = counted(int(changed["files"]), "file")
            counts = f" ({files} +{changed['more'] or 0} -{changed['less'] or 0})"
        yield found.start(), 1, f"{found['id']} {found['message'].strip()[: WIDTH - 8 - len(counts)]}{counts}"


def _snapshot(text: str) -> Parts:
    for found in _NODE.finditer(text):
        if found["role"] in _CONTROLS:
            level = 1 if found["role"] in {"heading", "button", "dialog", "alert"} else 2
            yield found.start() + len(found["indent"]), level, found["name"].removeprefix("- ").removesuffix(":")


KINDS: dict[str, Callable[[str], Parts]] = {
    "Markdown": _markdown,
    "HTML": _html,
    "Python source": python_parts,
    "source code": code_parts,
    "SQL": sql_parts,
    "AsciiDoc": asciidoc_parts,
    "LaTeX": latex_parts,
    "headings over rules": underlined_parts,
    "indented sections": indented_parts,
    "a plan of Terraform": planned_parts,
    "a tree": branch_parts,
    "a list of paths": path_parts,
    "a diff": _diff,
    "a git log": _git_log,
    "an accessibility snapshot": _snapshot,
}
NESTED = frozenset({"an accessibility snapshot", "a tree", "a list of paths"})
"""Formats in which a part does not reach to the next one."""
SUMMARISED = frozenset({*KINDS, OUTPUT, "log lines"})
"""Formats whose preview shows more than the first and last lines."""
