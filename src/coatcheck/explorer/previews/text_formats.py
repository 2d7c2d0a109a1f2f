"""What a text looks like, judged by its first lines, and the pattern that finds its parts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

LOOKED_AT = 4000
"""Characters of the start of a text that are looked at."""
LINES = 12
_DIFF = re.compile(r"diff --git |--- \S|\+\+\+ \S|@@ -\d")
_COMMIT = re.compile(r"commit [0-9a-f]{7,40}\b|Commit: '?[0-9a-f]{7,40}\b")
_LOG = re.compile(
    r"[\[(]?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d|"
    r"(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b)"
)
_MARKDOWN = re.compile(r"#{1,6} \S|```|[-*] \[[ x]\] |\|.*\|$|\[[^]]+\]\([^)]+\)")
_YAML_KEY = re.compile(r"(- )?[A-Za-z_][\w.-]*:( \S.*)?$")
_YAML_MORE = re.compile(r"\s+\S|- |#|$")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,19}")
_MOST_COLUMNS_NAMED = 12


@dataclass(frozen=True, slots=True)
class Format:
    """A recognised format.

    Attributes:
        name: For the first line; ``""`` where nothing was recognised.
        pattern: A regular expression that finds the beginnings of the parts, or a word of the text.
        queryable: Whether jq filters may work on it.
    """

    name: str = ""
    pattern: str = ""
    queryable: bool = False


def recognise(text: str) -> Format:
    """Judge a text by its first and last characters and its first lines."""
    start = text[:LOOKED_AT]
    # The last line of what is looked at may be cut.
    lines = start.split("\n")[: LINES if len(text) <= LOOKED_AT else max(start.count("\n"), 1)][:LINES]
    word = _WORD.search(start)
    plain = word.group() if word is not None else ""
    found = _brackets(text, start, lines, plain) or _lines(lines, plain)
    if found.pattern != plain and not re.search(found.pattern, start, re.MULTILINE):
        found = replace(found, pattern=plain)
    return found


def _brackets(text: str, start: str, lines: Sequence[str], word: str) -> Format | None:
    """Formats that show in the first and last character."""
    head, tail = start.lstrip()[:200], text[-100:].rstrip()[-1:]
    objects = [line for line in lines if line.startswith("{") and line.endswith("}")]
    if len(objects) > 1 and len(objects) == len([line for line in lines if line]):
        return Format("JSON lines", word)
    if (head[:1], tail) in {("{", "}"), ("[", "]")} and not _LOG.match(head):
        return Format("JSON", word, queryable=True)
    if tail == ">" and head.startswith("<"):
        if head[:14].lower() == "<!doctype html" or head[:5].lower() == "<html":
            return Format("HTML", "<h[1-6]")
        if head.startswith("<?xml") or re.match(r"<[A-Za-z][\w:.-]*[\s/>]", head):
            return Format("XML", word)
    return None


def _lines(lines: Sequence[str], word: str) -> Format:
    """Formats that show in what lines begin with."""
    filled = [line for line in lines if line.strip()]
    if any(line.startswith("diff --git ") for line in filled) or sum(bool(_DIFF.match(line)) for line in filled) > 2:  # noqa: PLR2004
        return Format("a diff", "^diff --git" if any(line.startswith("diff --git ") for line in filled) else "^@@")
    if any(_COMMIT.match(line) for line in filled[:3]):
        commit = next(line for line in filled if _COMMIT.match(line))
        return Format("a git log", "^Commit:" if commit.startswith("C") else "^commit ")
    if filled and 2 * sum(bool(_LOG.match(line)) for line in filled) > len(filled):
        return Format("log lines", "ERROR|WARN")
    table = _table(filled)
    if table is not None:
        return Format(table, word)
    if filled[:1] == ["---"] or (len(filled) > 1 and _is_yaml(filled)):
        return Format("YAML", word, queryable=True)
    if sum(bool(_MARKDOWN.match(line)) for line in filled) > (0 if filled and filled[0].startswith("#") else 1):
        return Format("Markdown", "^#+ ")
    return Format("", word)


def _is_yaml(filled: Sequence[str]) -> bool:
    keys = sum(bool(_YAML_KEY.match(line)) for line in filled)
    return (
        _YAML_KEY.match(filled[0]) is not None
        and all(_YAML_KEY.match(line) or _YAML_MORE.match(line) for line in filled)
        and 2 * keys >= min(len(filled), 4)
    )


def _table(filled: Sequence[str]) -> str | None:
    """Describe lines of equally many cells: the header's names, or their number."""
    if len(filled) < 3:  # noqa: PLR2004
        return None
    for separator, name in ((",", "CSV"), ("\t", "tab-separated values"), (";", "CSV with semicolons")):
        # Quoted cells may hold separators: those are taken out before counting.
        counts = {re.sub(r'"[^"]*"', "", line).count(separator) for line in filled}
        if len(counts) == 1 and (cells := counts.pop()) and not filled[0].endswith(separator):
            header = [cell.strip().strip('"') for cell in filled[0].split(separator)]
            named = len(header) == cells + 1 <= _MOST_COLUMNS_NAMED and all(0 < len(cell) <= 40 for cell in header)  # noqa: PLR2004
            columns = f"columns {', '.join(header)}" if named else f"{cells + 1:,} columns"
            return f"{name} with {columns}"
    return None
