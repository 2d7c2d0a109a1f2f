"""What a preview tells of a long text beside its first and last lines, and which of its lines to read or look for."""

from dataclasses import dataclass

from coatcheck.errors import counted
from coatcheck.explorer.texts.log_summaries import LEVELS, read_log, write_levels, write_log
from coatcheck.explorer.texts.outlines import Entry, outline, write_outline

LIGHT = 2_000
"""Characters of a section that is worth reading whole."""
MOST_LINES = 60
FEWEST_ENTRIES = 2
WORST = 5
"""The first of the levels count as trouble."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A text in short.

    Attributes:
        text: Lines for a preview; ``""`` where there is nothing to tell.
        section: First line and end of a part that is worth reading.
        pattern: A regular expression that some of the lines match.
        counts: What was counted, on one line.
        name: The name of its first part, in the text's own words.
    """

    text: str = ""
    section: tuple[int, int] | None = None
    pattern: str = ""
    counts: str = ""
    name: str = ""


def summarise(text: str, form: str, room: int) -> Summary:
    """Give what a text of a recognised format holds, in at most ``room`` characters."""
    if form == "log lines":
        log = read_log(text)
        most = sum(log.levels.values()) // 2
        level = next((level for level in LEVELS[:WORST] if 0 < log.levels[level] <= most), "")
        return Summary(write_log(log, room), None, rf"\b{level}\b" if level else "", write_levels(log))
    entries = outline(text, form)
    if len(entries) < FEWEST_ENTRIES:
        return Summary()
    noun = {"a diff": "file", "a git log": "commit"}.get(form)
    counts = counted(len(entries), noun) if noun else ""
    lead = f"{counts}:\n" if counts else ""
    written = lead + write_outline(entries, room - len(lead))
    return Summary(written, _section(text, entries), counts=counts, name=entries[0].name)


def _section(text: str, entries: list[Entry]) -> tuple[int, int] | None:
    """Choose a part from the middle that is short enough to be read, and long enough to be worth it."""
    middle = len(entries) // 2
    lines = text.split("\n", entries[-1].line)
    for place in [*range(middle, len(entries) - 1), *range(middle)]:
        start, end = entries[place].line, entries[place + 1].line
        if 1 < end - start <= MOST_LINES and sum(map(len, lines[start:end])) <= LIGHT:
            return start, end
    return None
