"""The sections of texts without markup: headings above a rule, and unindented lines above indented ones."""

import re

from coatcheck.explorer.texts.code_outlines import Parts

LOOKED_AT, LOOKED_AT_INDENTED = 12_000, 4_000
FEWEST = 3
MOST_OPEN = 2
"""At most one line in so many is not indented."""
SHARE = 2
_UNDERLINED = re.compile(
    r"^(?P<name>[^\s=\-~^\"*#+|][^\n]{0,100})\n"
    r"(?P<rule>={3,110}|-{3,110}|~{3,110}|\^{3,110}|\*{3,110}|\"{3,110})[ \t]{0,9}$",
    re.MULTILINE,
)
_RULES = tuple(f"\n{sign * 3}" for sign in '=-~^*"')
_HEADING = re.compile(r"^(?P<name>[^\s\-+|*>}\])#][^\n]{0,200})", re.MULTILINE)
_CLOSERS = frozenset("})];")
_ASCIIDOC = re.compile(r"^(?P<marks>={1,6}) (?P<name>\w[^\n]{0,200})", re.MULTILINE)
_LATEX = re.compile(
    r"^[ \t]{0,8}\\(?P<kind>part|chapter|(?:sub){0,2}section)\*?(?:\[[^\]\n]{0,100}\])?\{(?P<name>[^\n]{1,200})\}",
    re.MULTILINE,
)
_LATEX_COMMAND = re.compile(r"\\label\{[^}\n]*|\\\w+|[{}]")
_LATEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection")
_OPTION = re.compile(r"^(?P<indent>[ \t]{2,8})(?P<name>-{1,2}[A-Za-z?][^\n]{0,100})", re.MULTILINE)


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
