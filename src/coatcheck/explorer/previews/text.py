"""The preview of a text: headline, first and last lines with their numbers, omissions, next steps.

Lines are counted from 0, as in the tools that slice and search.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from coatcheck.errors import counted
from coatcheck.explorer.previews.content_blocks import viewing
from coatcheck.explorer.previews.main_part import call, reference_usage
from coatcheck.explorer.previews.one_line_descriptions import Preview, describe_text
from coatcheck.explorer.previews.preview_limit import PreviewBudget
from coatcheck.explorer.previews.wording import Subject, headlines, one_line, printable
from coatcheck.explorer.texts.outlines import SUMMARISED
from coatcheck.explorer.texts.summaries import LIGHT, Summary, error_pattern, summarise
from coatcheck.explorer.texts.text_formats import BASE64, LOOKED_AT, OUTPUT, recognise
from coatcheck.references import Index, Path, Slice
from coatcheck.references.walking import LINES

COUNTED = 4_000_000
"""Characters up to which lines are counted; for longer texts their number is estimated from three windows."""
WINDOW = 65_536
"""Characters within which a line must end in texts that are not counted, so that its length is known."""


class Count(NamedTuple):
    """The number of lines of a text, and whether it is exact."""

    lines: int
    exact: bool

    def __str__(self) -> str:
        noun = "line" if self.lines == 1 else "lines"
        return f"{self.lines:,} {noun}" if self.exact else f"about {self.lines:,} {noun} (estimated)"


class Line(NamedTuple):
    """A line: the characters from ``start`` to ``end`` without its line break.

    ``goes_on`` shows where the line continues for an unknown length: ``"before"`` the start, ``"after"`` the end, or
    nowhere (``""``).
    """

    start: int
    end: int
    goes_on: Literal["", "before", "after"] = ""

    @property
    def length(self) -> int:
        """Characters."""
        return self.end - self.start


def count_lines(text: str) -> Count:
    """Count the lines of a text like an editor: a line break at the end does not start a line."""
    total = len(text)
    if total <= COUNTED:
        return Count(text.count("\n") + (total > 0 and not text.endswith("\n")), exact=True)
    starts = (0, (total - WINDOW) // 2, total - WINDOW)
    breaks = sum(text.count("\n", start, start + WINDOW) for start in starts)
    return Count(max(round(breaks * total / (3 * WINDOW)), 1), exact=False)


def first_lines(text: str, most: int) -> list[Line]:
    """Return the first lines; a line whose end is not found within reach is the last of them."""
    reach = len(text) if len(text) <= COUNTED else WINDOW
    found: list[Line] = []
    start = 0
    while start < len(text) and len(found) < most:
        end = text.find("\n", start, start + reach)
        if end < 0:
            end = min(start + reach, len(text))
            found.append(Line(start, end, "" if end == len(text) else "after"))
            break
        found.append(Line(start, end))
        start = end + 1
    return found


def last_lines(text: str, most: int, after: int) -> list[Line]:
    """Return the last lines that begin at ``after`` or later, in the order of the text."""
    reach = len(text) if len(text) <= COUNTED else WINDOW
    found: list[Line] = []
    end = len(text) - 1 if text.endswith("\n") else len(text)
    while end >= after and len(found) < most:
        low = max(end - reach, 0)
        start = text.rfind("\n", low, end) + 1
        if start == 0 and low > 0:
            found.append(Line(max(low, after), end, "before"))
            break
        if start < after:
            break
        found.append(Line(start, end))
        end = start - 1
    return found[::-1]


HEAD = 800
"""Characters of the first lines, or a fifth of the limit if that is more; the last lines have half of it."""
HEAD_TOKENS = 240
"""Estimated tokens of the first lines: numbers and addresses have twice as many as words."""
WIDTH = 200
"""Characters of one line."""
FEW = 3
"""Maximum lines of a text that is shown by characters."""
MOST_LINES = 12
"""Maximum first lines, or one for 320 characters of the limit if that is more; half as many last lines."""
SUMMARY = 900
"""Characters of a text's summary, or a fifth of the limit if that is more."""
FOUND = 2_600
"""Characters of the matches of a suggested search."""
SHOWN_MATCHES = 20
"""Matches that a search shows without a limit."""
_LAST_OF = {"log lines": 0, OUTPUT: 1}
"""Formats whose first line is shown beside the summary, and how many last lines."""
ENCODED = 100
"""Characters of base64 that are shown."""
MOST_OUTSIDE = 8
"""Lines outside the data in a text that are shown."""
WIDTH_OUTSIDE = 80
PAGE = 40
"""Maximum lines of the suggested next page."""


@dataclass(slots=True)
class Shown:
    """The shown parts of a text: blocks to print, and their characters and lines.

    ``head_end`` and ``tail_start`` bound the middle that is left out; ``cut_characters`` are left out in
    ``cut_lines`` lines outside of it.
    """

    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    head_end: int = 0
    tail_start: int = 0
    cut_lines: int = 0
    cut_characters: int = 0
    first_cut: Path | None = None


def render_text(text: str, subject: Subject, limit: int, *, summarised: bool = False) -> Preview:
    """Preview a text in at most ``limit`` characters.

    ``summarised``: scan the text for its parts, which takes time by its length.
    """
    if type(text) is not str:
        text = str.__str__(text)
    count = count_lines(text)
    form = recognise(text)
    budget = PreviewBudget(limit)
    looks = f"Looks like {form}; " if form else ""
    units = f"{looks}.lines[0:9] counts lines, [0:9] characters" if count.lines > FEW else looks[:-2]
    what = f"text of {count}"
    if not budget.put_first("headline", headlines(subject, what, units)):
        return Preview("", lambda: what)
    scanned = (text, form) if summarised or form == BASE64 else ("", "")
    summary, calls = _steps(*scanned, subject, limit)
    if len(calls) > 1:
        first = calls.pop(0)
        budget.put_first("next", (f"Next: {first}", first))
    reserve = min(sum(map(len, calls)) + 260, budget.remaining // 3)
    if summary.text:
        budget.put("shape", summary.text)
    available = max(budget.remaining - reserve, 0)
    head = subject.light(min(max(HEAD, limit // 5), available * 2 // 3), HEAD_TOKENS)
    most = max(MOST_LINES, limit // 320)
    tail = min(head // 2, available - head)
    if summary.text:  # the summary is more informative than lines; a line of a log is kept as an example
        head, tail, most = head // 3, _LAST_OF.get(form, 0) * head // 3, int(form in _LAST_OF)
    if form == BASE64:
        head, tail = min(head, ENCODED), 0
    if count.lines > FEW:
        shown = _by_lines(text, count, head, tail, most)
    else:
        shown = _by_characters(text, subject.target.path if subject.target else Path(), head, tail)
    if shown.head and budget.put("samples", "\n".join(shown.head + shown.tail)):
        budget.put_first("left_out", _omission_note(text, count, shown))
        if form != BASE64 and (
            not summary.text or not budget.has("next")
        ):  # the next lines tell less than what was found
            calls.insert(-1, _more(text, count, subject, shown))
    _put_calls(budget, calls)
    return Preview(budget.text(), lambda: describe_text(what, form, summary.counts, summary.name or text[:LOOKED_AT]))


def write_lines(lines: Sequence[tuple[int, str]]) -> str:
    """Write those numbered lines that have words: headings, then the first ones; ``""`` if there are none."""
    worded = [(n, line) for n, line in lines if any(map(str.isalnum, line)) and not line.startswith("```")]
    shown = sorted(sorted(worded, key=lambda numbered: not numbered[1].startswith("#"))[:MOST_OUTSIDE])
    written = [f"{n}| {one_line(line.rstrip(), WIDTH_OUTSIDE)}" for n, line in shown]
    more = len(worded) - len(shown)
    return "\n".join([*written, *([f"… {counted(more, 'more line')}"] if more else ())])


def _put_calls(budget: PreviewBudget, calls: list[str]) -> None:
    lead = "" if budget.has("next") else "Next: "
    for step in filter(None, calls):
        if budget.put("next", lead + step):
            lead = ""


def _by_lines(text: str, count: Count, head: int, tail: int, most: int) -> Shown:
    """Collect first and last lines in two blocks of at most ``head`` and ``tail`` characters."""
    width = max(min(WIDTH, head // 4), 16)
    shown = Shown(tail_start=len(text))
    for place, line in enumerate(first_lines(text, most)):
        written = _write(text, line, f"{place}| ", width)
        head -= len(written) + 1
        if head < 0:
            break
        shown.head.append(written)
        shown.head_end = line.start + width if line.goes_on else min(line.end + 1, len(text))
        if line.length > width and shown.first_cut is None:
            shown.first_cut = Path((LINES, Index(place), Slice(width, width + LIGHT)))
        _count_cut(shown, line, width)
    lines = last_lines(text, max(most // 2, 1), shown.head_end) if shown.head_end < len(text) else []
    for place, line in enumerate(reversed(lines)):
        label = f"{count.lines - 1 - place}| " if count.exact else f"-{place + 1}| "
        written = _write(text, line, label, width)
        tail -= len(written) + 1
        if tail < 0:
            break
        shown.tail.insert(0, written)
        shown.tail_start = max(line.end - width, line.start) if line.goes_on else line.start
        _count_cut(shown, line, width)
    return shown


def _write(text: str, line: Line, label: str, width: int) -> str:
    if line.goes_on == "before":
        return f"{label}…{printable(text[max(line.end - width, line.start) : line.end])}"
    start = printable(text[line.start : min(line.start + width, line.end)].removesuffix("\r"))
    if line.goes_on:
        return f"{label}{start}…"
    more = line.length - width
    return f"{label}{start}…(+{counted(more, 'character')})" if more > 0 else label + start


def _count_cut(shown: Shown, line: Line, width: int) -> None:
    if line.length > width and not line.goes_on:
        shown.cut_lines += 1
        shown.cut_characters += line.length - width


def _by_characters(text: str, base: Path, head: int, tail: int) -> Shown:
    """Collect the start and the end of a text of few lines, each with its path."""
    total = len(text)
    label = len(str(base.child(Slice(total, total)))) + 2
    if total <= head + tail - label:
        return Shown([f"{base.child(Slice(0, total))}: {_marked(text)}"] if total else [], [], total, total)
    head_end = head - label
    if head_end < FEW:
        return Shown(tail_start=total)
    tail_start = max(total - max(tail - label - 1, 0), head_end)
    shown = Shown([f"{base.child(Slice(0, head_end))}: {_marked(text[:head_end])}"], [], head_end, tail_start)
    if tail_start < total:
        shown.tail.append(f"{base.child(Slice(tail_start, total))}: {_marked(text[tail_start:])}")
    return shown


def _marked(part: str) -> str:
    """Write a part of a text after its path, with further lines marked as the text's."""
    return printable(part).replace("\n", "\n ")


def _omission_note(text: str, count: Count, shown: Shown) -> list[str]:
    """The sentence about what is not shown, in full and short form."""
    middle = shown.tail_start - shown.head_end
    if not middle and not shown.cut_characters:
        return ["Nothing is left out."]
    parts = []
    if middle:
        first, last = len(shown.head), count.lines - len(shown.tail) - 1
        if count.exact and count.lines > FEW:
            lines = f"line {first:,}" if first == last else f"lines {first:,} to {last:,}"
            parts.append(f"{lines}, counted from 0 ({counted(middle, 'character')})")
        else:
            parts.append(f"characters {shown.head_end:,} to {shown.tail_start:,} of {len(text):,}")
    if shown.cut_characters:
        parts.append(f"{counted(shown.cut_characters, 'character')} in {counted(shown.cut_lines, 'long line')}")
    return [f"Left out: {', '.join(parts)}.", f"Left out: {parts[0]}, more."]


def _more(text: str, count: Count, subject: Subject, shown: Shown) -> str:
    """The call for the text after the first lines; ``""`` if nothing is left or nothing was stored."""
    target = subject.target
    if target is None:
        return ""
    if shown.tail_start == shown.head_end:
        cut = shown.first_cut
        return "" if cut is None else call("get", target.join(cut))
    if count.lines > FEW:
        start = len(shown.head)
        within = text.count("\n", shown.head_end, shown.head_end + subject.light(LIGHT))
        end = start + min(max(within, 1), PAGE)
        end = min(end, count.lines) if count.exact else end
        # A host may offer only some of the tools.
        return call("slice", target, start=start, end=end) or call("get", target.join(Path((LINES, Slice(start, end)))))
    part = Slice(shown.head_end, min(shown.head_end + subject.light(LIGHT), len(text)))
    return call("get", target.join(Path((part,))))


def _steps(text: str, form: str, subject: Subject, limit: int) -> tuple[Summary, list[str]]:
    """The summary of the text, and the next steps that follow from it."""
    summary = (
        summarise(text, form, max(SUMMARY, limit // 5)) if form in SUMMARISED else Summary(pattern=error_pattern(text))
    )
    target = subject.target
    if target is None:
        return summary, []
    if form == BASE64:
        return summary, [viewing(subject, Path(), text)]
    calls = []
    if summary.section is not None:
        calls.append(call("get", target.join(Path((LINES, Slice(*summary.section))))))
    if summary.pattern:
        skipped = {"start": summary.skipped} if summary.skipped else {}
        fit = subject.light(FOUND) // min(len(text) // (text.count("\n") + 1) + 8, WIDTH)
        few = {"limit": max(fit, FEW)} if fit < SHOWN_MATCHES and not skipped else {}
        calls.append(call("grep", target, pattern=summary.pattern, **skipped, **few))
    return summary, [*calls, reference_usage(target, Path())]
