"""Recognises formats of texts that are not parsed, by their first lines."""

import re
from collections.abc import Sequence
from itertools import pairwise

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.opened_text import BYTE_ORDER_MARK
from coatcheck.explorer.texts.section_outlines import (
    has_branches,
    has_indented_sections,
    has_paths,
    has_planned_changes,
    has_underlined_headings,
)

LOOKED_AT = 4000
"""Characters at the start of a text by which its format is recognised."""
LOOKED_AT_CODE = 8_000
"""Source code may begin with a long comment."""
LOOKED_AT_SECTIONS = 12_000
"""A license or an introduction may precede the first section."""
HASHBANG = 100
LINES = 12
FEWEST = 3
_SECTIONS = late_pattern(
    r"\[{1,2}[A-Za-z_][\w.\"' -]{0,80}\]{1,2}[ \t]*\r?\n(?:[^\n]{0,200}\n){0,3}?[\w.\"'-]{1,80}[ \t]*=", re.ASCII
)
_DIFF = late_pattern(r"diff --git |--- (?!(?:PASS|FAIL|SKIP|BENCH): )\S|\+\+\+ \S|@@ -\d")
_COMMIT = late_pattern(r"commit [0-9a-f]{7,40}\b|Commit: '?[0-9a-f]{7,40}\b")
_LOG = late_pattern(
    r"[\[(]?(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d|"
    r" {0,8}\d{1,9}\.\d{6}\]|[IWEF]\d{4} \d\d:\d\d:\d\d|"
    r"(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b|\S{1,60} \S{1,60} \S{1,60} \[\d\d/[A-Z][a-z]{2}/\d{4}:)"
)
_HEADING = late_pattern(r"^#{1,6} \S", re.MULTILINE)
_FENCED = late_pattern(r"^(```|~~~)[^\n]*\n.*?(?:^\1|\Z)", re.MULTILINE | re.DOTALL)
_MARKED = late_pattern(r"^#(?:(?P<heading>#{0,5} \S[^\n]*\n\r?(?:\n|\Z))|)", re.MULTILINE)
_ASCIIDOC = late_pattern(r"^={1,6} \w", re.MULTILINE)
_BASE64 = late_pattern(
    r"(?:data:[\w.+/-]{1,80}(?:;[\w=.-]{1,40}){0,3},)?[A-Za-z0-9+/_-]{60,}={0,2}"
    r"(?:\r?\n[A-Za-z0-9+/_-]{1,4000}={0,2}){0,200}\s*"
)
_MIXED = late_pattern(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)")
_LATEX = late_pattern(r"^[ \t]{0,8}\\(?:documentclass|begin|chapter|(?:sub){0,2}section)\b", re.MULTILINE)
_MARKDOWN = late_pattern(r"#{1,6} \S|```|[-*] \[[ x]\] |\|.*\|$|\[[^]]+\]\([^)]+\)")
_SNAPSHOT = late_pattern(
    r"^ *(?:- [a-z]+(?: \"[^\n\"]*\")?(?: \[[^\n\]]*\]){0,6} ?\[ref=\w+\]|uid=\w{1,20} [A-Za-z]{2,20}\b)", re.MULTILINE
)
_PYTHON = late_pattern(r"import \w|from [\w.]+ import |class \w+.{0,200}:|(?:async )?def \w+\(")
_CODE = late_pattern(
    r"(?:package [\w.]+;?$|import [\w{*\"'(]|#(?:include [<\"]|(?:if|define|pragma)\b|ifn?def )"
    r"|use [\w:]+|using [\w.]+;"
    r"|[ \t]{0,8}(?:export |declare |pub |public |static |async ){0,4}"
    r"(?:func|fn|function|class|interface|struct|enum|trait|impl|module|namespace|const|type|sub) [\w\"'])"
)
_OUTPUT = late_pattern(
    r"={5,80} test session starts|(?:warning|error)(?:\[\w{1,20}\])?: \S|npm (?:ERR!|error|warn) |=== RUN |--- FAIL"
    r"|[^\s:]{1,200}:\d{1,7}:(?:\d{1,5}:)? (?:fatal )?(?:error|warning)\b|[^\s:]{1,200}: In function "
    r"|running \d{1,6} tests?$| +Compiling \S|TAP version \d|> Task :|\[INFO\] Scanning for projects"
    r"|(?:PASS|FAIL) +\S+\.(?:test|spec)\."
)
_SQL = late_pattern(
    r"^(?:CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT|INSERT|UPDATE|DELETE) [A-Z]{2,}\b", re.MULTILINE | re.IGNORECASE
)

_SQL_WORDS = ("CREATE ", "INSERT ", "ALTER ", "GRANT ", "create ", "insert ")
_CODE_WORDS = (
    "import", "def ", "class ", "func", "fn ", "struct", "package", "#include", "using ", "use ", "const ", "interface",
    "sub ", "#!/",
)  # fmt: skip
"""Words of source code: a text without any of them is not checked further."""

OUTPUT = "the output of a build or of tests"
BASE64 = "base64"


def recognise(text: str) -> str:
    """Name a text's format by its first and last characters and its first lines; ``""`` if it is unknown."""
    start = text[:LOOKED_AT].removeprefix(BYTE_ORDER_MARK)
    # The last line of the checked part may be cut off.
    lines = start.split("\n")[: LINES if len(text) <= LOOKED_AT else max(start.count("\n"), 1)][:LINES]
    if " " not in start[:60] and _BASE64.fullmatch(start) is not None and _MIXED.match(start) is not None:
        return BASE64
    return (
        _brackets(text, start)
        or (_code(text[:LOOKED_AT_CODE]) if start.startswith("#!") else "")
        or _lines(lines, start)
        or _code(text[:LOOKED_AT_CODE])
        or _sections(text[:LOOKED_AT_SECTIONS])
    )


def _brackets(text: str, start: str) -> str:
    """Formats that the first and last characters identify."""
    head, tail = start.lstrip()[:200], text[-100:].rstrip()[-1:]
    if head[:1] == "[" and _SECTIONS.match(start.lstrip()):
        return "TOML or INI"
    if (head[:1], tail) in {("{", "}"), ("[", "]")} and not _LOG.match(head):
        return "JSON"
    if tail == ">" and head.startswith("<"):
        if head[:14].lower() == "<!doctype html" or head[:5].lower() == "<html":
            return "HTML"
        if head.startswith("<?xml") or re.match(r"<[A-Za-z][\w:.-]*[\s/>]", head):
            return "XML"
    return ""


def _lines(lines: Sequence[str], start: str) -> str:
    """Formats that the beginnings of lines identify."""
    filled = [line for line in lines if line.strip()]
    if any(line.startswith("diff --git ") for line in filled) or sum(map(bool, map(_DIFF.match, filled))) >= FEWEST:
        return "a diff"
    if any(map(_COMMIT.match, filled[:3])):
        return "a git log"
    if _are_log_lines(filled, start):
        return "log lines"
    if is_snapshot(start):
        return "an accessibility snapshot"
    if any(map(_OUTPUT.match, filled)):
        return OUTPUT
    if has_headings(start):
        return "Markdown"  # although its examples look like source code
    if _lines_of(_PYTHON, start) >= FEWEST:
        return "Python source"  # whose comments look like headings
    if sum(map(bool, map(_MARKDOWN.match, filled))) > (0 if filled and filled[0].startswith("#") else 1):
        return "Markdown" if not _is_commented(filled) and _is_headed(lines, start) else ""
    return ""


def _are_log_lines(filled: Sequence[str], start: str) -> bool:
    """Whether most lines begin as in a log; of stack traces, up to two lines that are not indented follow one."""
    if not filled or 2 * sum(map(bool, map(_LOG.match, filled))) > len(filled):
        return bool(filled)
    if _LOG.match(filled[0]) is None:
        return False
    begun = [line for line in start.split("\n")[:-1] if line.strip() and (not line[0].isspace() or _LOG.match(line))]
    logged = sum(map(bool, map(_LOG.match, begun)))
    return logged >= FEWEST and 3 * logged >= len(begun)


def is_snapshot(start: str) -> bool:
    """Whether a text begins like an accessibility snapshot, which is valid YAML but more useful as text."""
    start = start[:LOOKED_AT]
    return ("[ref=" in start or "uid=" in start) and len(_SNAPSHOT.findall(start)) >= FEWEST


def has_headings(start: str) -> bool:
    """Whether most lines with ``#`` outside fences are above an empty line, as headings are, and few lines are code."""
    if "\n#" not in start:
        return False
    prose = _FENCED.sub("", start)
    marked = list(_MARKED.finditer(prose))
    headings = sum(found["heading"] is not None for found in marked)
    return 2 * headings > max(len(marked), FEWEST) and _lines_of(_PYTHON, prose) + _lines_of(_CODE, prose) < headings


def _is_commented(filled: Sequence[str]) -> bool:
    """Whether lines that begin with ``#`` follow one another, as comments do and headings do not."""
    marks = [line.startswith("# ") for line in filled]
    return any(first and second for first, second in pairwise(marks))


def _is_headed(lines: Sequence[str], start: str) -> bool:
    """Whether a first line with ``#`` is a heading (a blank line or another heading follows) and not a comment."""
    return not lines[0].startswith("#") or not "".join(lines[1:2]).strip() or len(_HEADING.findall(start)) > 1


def _code(start: str) -> str:
    if not any(word in start for word in _CODE_WORDS):
        return ""
    if _lines_of(_PYTHON, start) >= FEWEST:
        return "Python source"
    if start.startswith("#!/"):
        return "Python source" if "python" in start[:HASHBANG].split("\n", 1)[0] else "source code"
    return "source code" if _lines_of(_CODE, start) >= FEWEST else ""


def _lines_of(pattern: re.Pattern[str], start: str) -> int:
    """Count the lines that match; a search for the beginnings of lines takes ten times as long."""
    return sum(map(bool, map(pattern.match, start.split("\n"))))


def _sections(start: str) -> str:
    if start.lstrip()[:2] == "= " and len(_ASCIIDOC.findall(start)) >= FEWEST:
        return "AsciiDoc"
    if "\\" in start and len(_LATEX.findall(start)) >= FEWEST:
        return "LaTeX"
    if any(word in start for word in _SQL_WORDS) and len(_SQL.findall(start)) >= FEWEST:
        return "SQL"
    if has_planned_changes(start):
        return "a plan of Terraform"
    if has_branches(start):
        return "a tree"
    if has_paths(start[:LOOKED_AT]):
        return "a list of paths"
    if has_underlined_headings(start):
        return "headings over rules"
    return "indented sections" if has_indented_sections(start) else ""
