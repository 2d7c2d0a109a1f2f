"""The sections of texts without markup: headings over a rule, unindented lines over indented ones, folders of files."""

import re
from collections.abc import Iterable

from coatcheck.errors import counted
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.code_outlines import Parts

Node = tuple[int, list[str]]
"""A line of a tree: the offset of its part and the names above it."""
LOOKED_AT, LOOKED_AT_INDENTED = 12_000, 4_000
FEWEST = 3
MOST_OPEN = 2
"""At most one line in so many is not indented."""
SHARE = 2
_UNDERLINED = late_pattern(
    r"^(?P<name>[^\s=\-~^\"*#+|][^\n]{0,100})\n"
    r"(?P<rule>={3,110}|-{3,110}|~{3,110}|\^{3,110}|\*{3,110}|\"{3,110})[ \t]{0,9}$",
    re.MULTILINE,
)
_RULES = tuple(f"\n{sign * 3}" for sign in '=-~^*"')
_HEADING = late_pattern(r"\n(?P<name>[^\s\-+|*>}\])#][^\n]{0,200})")
_CLOSERS = frozenset("})];")
_ASCIIDOC = late_pattern(r"^(?P<marks>={1,6}) (?P<name>\w[^\n]{0,200})", re.MULTILINE)
_LATEX = late_pattern(
    r"^[ \t]{0,8}\\(?P<kind>part|chapter|(?:sub){0,2}section)\*?(?:\[[^\]\n]{0,100}\])?\{(?P<name>[^\n]{1,200})\}",
    re.MULTILINE,
)
_LATEX_COMMAND = late_pattern(r"\\label\{[^}\n]*|\\\w+|[{}]")
_LATEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection")
_PLANNED = late_pattern(
    r"^(?:  # (?P<name>\S[^\n]{1,300}? (?:will|must) be [^\n]{1,100})|Plan: [^\n]{1,200})", re.MULTILINE
)
_FILE = late_pattern(
    r"(?:~?[/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\])[^\n:*?\"<>|]{1,400}|[^\s:*?\"<>|,;=(){}]{1,400}", re.ASCII
)
_BRANCH = late_pattern(r"(?P<indent>[│|\s]{0,160})(?:[├└]─{1,2}|[|`+\\]-{1,2})[─┬ ] ?(?P<name>\S[^\n]{0,400})")
_SEPARATOR = late_pattern(r"[/\\]")
MOST_DEPTH = 12
FEWEST_FILES = 12
_OPTION = late_pattern(r"\n(?P<indent>[ \t]{2,8})(?P<name>-{1,2}[A-Za-z?][^\n]{0,100})")


def has_underlined_headings(start: str) -> bool:
    """Whether a text begins with headings over rules that are about as long."""
    if not any(rule in start for rule in _RULES):
        return False
    return sum(1 for _ in underlined_parts(start[:LOOKED_AT])) >= FEWEST


def underlined_parts(text: str) -> Parts:
    """Return headings over rules; the order in which the rules' signs first occur gives their levels."""
    levels: dict[str, int] = {}
    for found in _UNDERLINED.finditer(text):
        name = found["name"].rstrip()
        if abs(len(found["rule"]) - len(name)) <= FEWEST:
            level = levels.setdefault(found["rule"][0], len(levels) + 1)
            yield found.start(), level, name


def asciidoc_parts(text: str) -> Parts:
    """Return the headings of AsciiDoc."""
    for found in _ASCIIDOC.finditer(text):
        yield found.start(), len(found["marks"]), found.group()


def latex_parts(text: str) -> Parts:
    """Return the chapters and sections of LaTeX."""
    for found in _LATEX.finditer(text):
        name = _LATEX_COMMAND.sub("", found["name"])
        yield found.start(), _LATEX_LEVELS.index(found["kind"]) + 1, f"{found['kind']} {name}"


def has_indented_sections(start: str) -> bool:
    """Whether a text begins with few lines that are not indented, most of them directly above an indented one."""
    lines = [line for line in start[:LOOKED_AT_INDENTED].split("\n")[:-1] if line.strip() and line[0] not in _CLOSERS]
    openers = [place for place, line in enumerate(lines) if not line[0].isspace()]
    if len(openers) < FEWEST or MOST_OPEN * len(openers) > len(lines) or start[:1] in {"{", "[", "<"}:
        return False
    over = sum(place + 1 < len(lines) and lines[place + 1][0].isspace() for place in openers)
    return SHARE * over > len(openers)


def indented_parts(text: str) -> Parts:
    """Return the lines that are not indented, and below them options of a command."""
    text = f"\n{text}"  # a line break is found more quickly than the beginning of a line
    options = _OPTION.finditer(text)
    option = next(options, None)
    for found in _HEADING.finditer(text):
        while option is not None and option.start() < found.start():
            yield option.start(), 2, option["name"]
            option = next(options, None)
        yield found.start(), 1, found["name"]
    while option is not None:
        yield option.start(), 2, option["name"]
        option = next(options, None)


def has_planned_changes(start: str) -> bool:
    """Whether a text begins with changes of resources that Terraform plans."""
    return "\n  # " in start and sum(1 for _ in planned_parts(start)) >= FEWEST


def planned_parts(text: str) -> Parts:
    """Return the changes of resources that Terraform plans, and their numbers."""
    for found in _PLANNED.finditer(text):
        yield found.start(), 2 if found["name"] else 1, found["name"] or found.group()


def has_paths(start: str) -> bool:
    """Whether each line is a path of a file, most of them in a folder."""
    lines = [line for line in start.split("\n")[:-1] if line]
    if len(lines) < FEWEST_FILES or not all(map(_FILE.fullmatch, lines)):
        return False
    return 2 * sum(_SEPARATOR.search(line) is not None for line in lines) > len(lines)


def path_parts(text: str) -> Parts:
    """Return the folders of a list of paths, with the number of files in each."""
    offset = 0
    files: list[Node] = []
    for line in text.split("\n"):
        files.append((offset, _SEPARATOR.split(line, MOST_DEPTH)[:-1]))
        offset += len(line) + 1
    return _folders(files, "/", "file")


def has_branches(start: str) -> bool:
    """Whether a text begins with the drawing of a tree."""
    return sum(_BRANCH.match(line) is not None for line in start.split("\n")[:FEWEST_FILES]) > FEWEST_FILES // 2


def branch_parts(text: str) -> Parts:
    """Return the inner nodes of a drawn tree, with the number of lines below each."""
    offset = 0
    above: list[tuple[int, int, str]] = []
    nodes: list[Node] = []
    for line in text.split("\n"):
        found = _BRANCH.match(line)
        if found is not None:
            while above and above[-1][0] >= found.end("indent"):
                above.pop()
            if above:
                nodes.append((above[-1][1], [name for _, _, name in above[:MOST_DEPTH]]))
            above.append((found.end("indent"), offset, found["name"]))
        offset += len(line) + 1
    return _folders(nodes, "", "line")


def _folders(nodes: Iterable[Node], end: str, noun: str) -> Parts:
    """Return what is above some nodes, with their number; of a chain of folders without other members only the last."""
    counts: dict[tuple[str, ...], list[int]] = {}
    for offset, names in nodes:
        for depth in range(1, len(names) + 1):
            counts.setdefault(tuple(names[:depth]), [offset, 0])[1] += 1
    chained = {key[:-1] for key, (_, count) in counts.items() if counts.get(key[:-1], (0, 0))[1] == count}
    for key, (offset, count) in counts.items():
        if key not in chained:
            above = [depth for depth in range(1, len(key)) if key[:depth] not in chained]
            name = "/".join(key[max(above, default=0) :])
            yield offset, len(above) + 1, f"{name}{end} ({counted(count, noun)})"
