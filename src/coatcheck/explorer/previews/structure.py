"""The preview of a structure: its reference, and the whole value if it is small, else its shape and samples."""

from dataclasses import dataclass
from typing import Any

from coatcheck.codec.tool_results import CONTENT, STRUCTURED
from coatcheck.errors import counted
from coatcheck.explorer.previews.columns import columns_beside
from coatcheck.explorer.previews.content_blocks import block_line, is_envelope
from coatcheck.explorer.previews.main_part import KEY, RUN, Main, find_main, label_of
from coatcheck.explorer.previews.one_line_descriptions import title
from coatcheck.explorer.previews.preview_limit import PreviewBudget
from coatcheck.explorer.previews.samples import Cuts, render_whole, sample
from coatcheck.explorer.previews.shape import SAMPLED, Shape, describe
from coatcheck.explorer.previews.shape_text import shape_text
from coatcheck.explorer.previews.suggestions import suggestions
from coatcheck.explorer.previews.wording import Subject, headlines, kind_and_length, one_line
from coatcheck.references import Index, Key, Path, Slice, Step

PART = 1000
"""Characters that the shape, and the samples together, may have; a fifth of the limit if that is more."""
SAMPLE_TOKENS = 300
"""Estimated tokens of the samples together."""
SCARCE = 300
"""Characters that are reserved for the shape before all other parts."""


ROOMY = 1_000
"""Limit below which the shortest next step comes first."""
FEW_FOLDED = 3
"""Maximum folded parts that are shown by their names."""
LAST = 160
"""Characters of the last member if it resembles the first one."""
MOST_BESIDE = 2
"""Blocks that are shown next to the structure of a tool result."""
COLUMNS = 600
"""Characters of the names of a table's columns."""


@dataclass(slots=True)
class Shown:
    """The lines of samples, how many members of the main part and top-level keys they hold, and what they cut."""

    lines: list[str]
    members: int
    keys: int
    cuts: Cuts


def render_structure(value: Any, subject: Subject, limit: int, *, text_format: str = "", outside: str = "") -> str:
    """Preview a value that is not a text, in at most ``limit`` characters.

    ``text_format`` is the format of the text that the value was parsed from, if it was; ``outside`` are lines of this
    text that the value leaves out.
    """
    shape = describe([value])
    main = find_main(value, shape)
    budget = PreviewBudget(limit)
    note = f"Text in {text_format}; paths and filters work on it" if text_format else ""
    if not budget.put_first("headline", headlines(subject, title(value), note)):
        return ""
    target = subject.target
    steps: list[str] = []
    if target is not None:
        steps.extend(filter(None, suggestions(value, main, subject, target, is_text=bool(text_format))))
    columns = None if main is None else columns_beside(value, main.place)
    if steps:
        if limit < ROOMY:
            steps.sort(key=len)
        budget.put_first("next", (f"Next: {steps[0]}", steps[0]))
    part = max(PART, limit // 5)
    reserve = min(sum(map(len, steps[1:])) + len(steps) + 120, budget.remaining // 3)
    if isinstance(value, (dict, list, tuple)) and value:
        # with a small limit, field names are more useful than samples
        _put_shape(
            budget, value, shape, min(part, max((budget.remaining - reserve) // 2, min(budget.remaining, SCARCE)))
        )
    if columns is not None and main is not None:
        budget.put("shape", one_line(f"Each of {main.place} has the columns {columns}", COLUMNS))
    if outside:
        budget.put_first(
            "shape", (f"Outside the data, by number in .lines:\n{outside}", "Lines outside the data are not shown.")
        )
    base = Path() if target is None else target.path
    available = min(subject.light(part, SAMPLE_TOKENS), budget.remaining - reserve)
    shown = _samples(value, main, base, available, subject.characters)
    if shown.lines and budget.put("samples", "\n".join(shown.lines)):
        budget.put_first("left_out", _omission_note(value, main, shown))
    for step in steps[1:]:
        budget.put("next", step)
    return budget.text()


def _put_shape(budget: PreviewBudget, value: Any, shape: Shape, available: int) -> None:
    heading = "Shape:"
    if isinstance(value, (list, tuple)) and len(value) > SAMPLED:
        heading = f"Shape (from {SAMPLED} of {counted(len(value), 'item')}):"
    text = shape_text(shape, available - len(heading) - 1, note_sampling=False)
    if text:
        budget.put("shape", f"{heading}\n{text}" if "\n" in text else f"{heading} {text}")


def _samples(value: Any, main: Main | None, base: Path, available: int, size: int) -> Shown:
    """Write the top level of an object, then first and last member of the main part; ``base`` is the path to it."""
    shown = Shown([], 0, 0, Cuts())
    for line in _texts_beside(value, base):
        if len(line) <= available // 2:
            shown.lines.append(line)
            available -= len(line) + 1
    if main is None or (main.place and not _only_holds(value)):
        heading = label_of(base) if base else ("Top level" if isinstance(value, dict) else "Value")
        found = sample(value, (available // 2 if main else available) - len(heading) - 2, open_arrays=main is None)
        if found is not None and main is None and found.cuts.folded == found.members > FEW_FOLDED:
            # Only names, which the shape contains already: an open member is more informative.
            first = next(iter(value))
            heading, found = label_of(base.child(Key(first))), sample(value[first], available // 2)
            if found is not None:
                shown.lines.append(f"{heading}: {found.text}")
                shown.keys = 1
                shown.cuts.add(found.cuts)
        elif found is not None:
            shown.lines.append(f"{heading}: {found.text}")
            available -= len(shown.lines[0]) + 1
            shown.keys = found.members
            shown.cuts.add(found.cuts)
    if main is not None:
        _member_samples(main, base.join(main.place.steps), available, shown, size)
    return shown


def _texts_beside(value: Any, base: Path) -> list[str]:
    """A line for each of the first blocks next to the structure of a tool result."""
    is_both = isinstance(value, dict) and value.keys() == {CONTENT, STRUCTURED}
    if not is_both or not is_envelope({CONTENT: value[CONTENT]}):
        return []
    place = base.child(CONTENT)
    return [block_line(block, place.child(number)) for number, block in enumerate(value[CONTENT][:MOST_BESIDE])]


def _only_holds(value: Any) -> bool:
    """Whether an object contains only containers, whose names are in the shape."""
    return isinstance(value, dict) and all(isinstance(member, (dict, list, tuple)) for member in value.values())


def _member_samples(main: Main, place: Path, available: int, shown: Shown, size: int) -> None:
    members = _members(main)
    each = available // max(len(members), 1)
    form = 0
    while members:
        step, member = members.pop(0)
        label = label_of(place.child(step))
        is_last = bool(shown.members) and isinstance(member, dict)
        if is_last:
            found = sample(member, min(each - len(label) - 3, LAST), in_short=True, size=size)
        else:
            found = sample(member, each - len(label) - 3, form=form, size=size)
        if found is not None and len(members) > 1 and isinstance(member, dict) and found.members < len(member):
            # Two members with more of their keys are more informative than three.
            members = members[1:]
            each = available // 2
            found = sample(member, each - len(label) - 3, form=form)
        if found is not None and isinstance(member, (list, tuple)) and 0 < found.members <= found.cuts.folded:
            # If all items are folded, one open item is more informative.
            label = label_of(place.child(step).child(Index(0)))
            found = sample(member[0], each - len(label) - 3)
            if found is not None:
                shown.lines.append(f"{label}: {found.text}")
            continue
        if found is None or (found.members == 0 and found.cuts.folded):
            continue  # a folded member adds nothing to the shape
        form = found.form
        shown.lines.append(f"{label}: {found.text}")
        shown.cuts.add(found.cuts)
        if isinstance(step, Slice):
            shown.members += found.members
            continue
        shown.members += 1
        if isinstance(member, dict) and found.members:
            shown.cuts.keys += len(member) - found.members
        elif isinstance(member, (list, tuple)) and found.members:
            shown.cuts.items += len(member) - found.members


def _members(main: Main) -> list[tuple[Step, Any]]:
    """The first and the last member with the steps to them; of scalars in a list, the first ones are one member."""
    container = main.container
    total = len(container)
    if isinstance(container, dict):
        names = dict.fromkeys((next(iter(container)), next(reversed(container))))
        return [(Key(name), container[name]) for name in names]
    run = min(total, RUN) if main.is_run else 1
    first: tuple[Step, Any] = (Slice(0, run), list(container[:run])) if main.is_run else (Index(0), container[0])
    return [first, (Index(total - 1), container[-1])] if total > run else [first]


def _omission_note(value: Any, main: Main | None, shown: Shown) -> list[str]:
    """The sentence about what is not shown."""
    cuts = shown.cuts
    parts = []
    if main is not None and (total := len(main.container)) > shown.members:
        where = f" of {main.place}" if main.place and len(str(main.place)) <= KEY else ""
        parts.append(f"{total - shown.members:,} of {counted(total, main.noun)}{where}")
    if (main is None or main.place) and isinstance(value, dict) and shown.keys < len(value) and not _only_holds(value):
        parts.append(f"{len(value) - shown.keys:,} of {counted(len(value), 'top-level key')}")
    if not parts:  # cuts inside the samples are marked where they are, so they are counted only then
        counts = (
            (cuts.texts, "the rest of {}", "long text"),
            (cuts.folded, "the rest of {}", "folded part"),
            (cuts.keys, "{} in the samples", "key"),
            (cuts.items, "{} in the samples", "item"),
        )
        parts = [form.format(counted(count, noun)) for count, form, noun in counts if count]
    return [f"Left out: {', '.join(parts)}."] if parts else ["Nothing is left out."]


def render_small(value: Any, reference: str, limit: int, size: int | None = None) -> str | None:
    """Return a line with the reference and the value's full text, or ``None`` if both do not fit in ``limit``.

    See ``render_whole`` for ``size`` and errors.
    """
    what = kind_and_length("string", len(value)) if isinstance(value, str) else title(value)
    headline = f"{reference}: {what}\n"
    whole = render_whole(value, limit - len(headline), size)
    return None if whole is None else headline + whole
