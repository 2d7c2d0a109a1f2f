"""The preview of a list, an object or a scalar: first line, shape, samples, what is left out, next steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from coatcheck.previews import jq_filters
from coatcheck.previews.budget import Sheet
from coatcheck.previews.next_steps import LONGEST, call, passing
from coatcheck.previews.samples import Cuts, Sample, sample
from coatcheck.previews.schema import SAMPLED, Shape, describe, pick
from coatcheck.previews.shape_text import shape_text
from coatcheck.previews.subject import Subject, headlines
from coatcheck.previews.wording import counted, kind_of, number
from coatcheck.references import Index, Key, Path, Reference, Slice, Step

PART = 1000
"""Characters that the shape, and the samples together, may have; a fifth of the limit where that is more."""
SCARCE = 300
"""Characters that the shape may have before anything else gets some."""
RUN = 10
"""Scalars of a list that are shown in one line."""
KEY = 120
"""Longest key, in characters, that a path in a preview holds."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{3,19}")


@dataclass(frozen=True, slots=True)
class Main:
    """The part of a value that makes it large: the list or map whose members are worth samples.

    ``place`` is its path from the value; ``shape`` is that of one member.
    """

    place: Path
    container: Any
    shape: Shape

    @property
    def noun(self) -> str:
        """What its members are called."""
        return "key" if isinstance(self.container, dict) else "item"


@dataclass(slots=True)
class Shown:
    """The lines of samples, how many members of the main part and top-level keys they hold, and what they cut."""

    lines: list[str]
    members: int
    keys: int
    cuts: Cuts


def render_structure(value: Any, subject: Subject, limit: int, *, text: str | None = None) -> str:
    """Preview a value that is no text, in at most ``limit`` characters.

    Args:
        value: A list, object or scalar.
        subject: Reference, size and origin.
        limit: Characters.
        text: The text that spells the value out in JSON, where the object is one.

    Raises:
        NotPlain: A part that would be looked at is no JSON value.
    """
    shape = describe([value])
    main = find_main(value, shape)
    sheet = Sheet(limit)
    note = "" if text is None else f"JSON text of {counted(len(text), 'character')}; paths work on it"
    if not sheet.put_first("headline", headlines(subject, title(value), note)):
        return ""
    steps = list(filter(None, _steps(value, main, subject, in_text=text is not None)))
    if steps:
        sheet.put("next", f"Next: {steps[0]}") or sheet.put("next", steps[0])
    part = max(PART, limit // 5)
    reserve = min(sum(map(len, steps[1:])) + len(steps) + 120, sheet.room // 3)
    if isinstance(value, (dict, list, tuple)) and value:
        # where room is scarce, field names are worth more than samples
        _put_shape(sheet, value, shape, min(part, max((sheet.room - reserve) // 2, min(sheet.room, SCARCE))))
    shown = _samples(value, main, subject, min(part, sheet.room - reserve))
    if shown.lines and sheet.put("samples", "\n".join(shown.lines)):
        sheet.put_first("left_out", _left_out(value, main, shown))
    for step in steps[1:]:
        sheet.put("next", step)
    return sheet.text()


def title(value: Any) -> str:
    """Name a value's type and length."""
    if isinstance(value, dict):
        return f"object with {counted(len(value), 'key')}"
    if isinstance(value, (list, tuple)):
        return f"array of {counted(len(value), 'item')}"
    return kind_of(type(value))


def find_main(value: Any, shape: Shape) -> Main | None:
    """Find the largest list or map that is reached through single objects; ``None`` where there is none."""
    best: tuple[int, tuple[Step, ...], Shape] | None = None
    places: list[tuple[tuple[Step, ...], Shape]] = [((), shape)]
    for path, here in places:
        objects, arrays = here.objects, here.arrays
        weight, members = 0, None
        if objects is not None and objects.values is not None:
            weight, members = objects.keys.most, objects.values
        elif objects is not None and objects.seen == 1:
            fields = (objects.fields or {}).items()
            places.extend(((*path, Key(name)), field.shape) for name, field in fields)
        elif arrays is not None and arrays.items is not None:
            weight, members = arrays.lengths.most, arrays.items
        if members is not None:
            # a few scalars are seen well enough at the top level
            records = members.objects is not None or members.arrays is not None
            weight = 4 * weight if records else weight
            if not path or ((records or weight > RUN) and (best is None or weight > best[0])):
                best = (weight, path, members)
    if best is None:
        return None
    container = value
    for step in best[1]:
        container = container[step.name] if isinstance(step, Key) else container
    return Main(Path(best[1]), container, best[2])


def _put_shape(sheet: Sheet, value: Any, shape: Shape, room: int) -> None:
    heading = "Shape:"
    if isinstance(value, (list, tuple)) and len(value) > SAMPLED:
        heading = f"Shape (from {SAMPLED} of {counted(len(value), 'item')}):"
    text = shape_text(shape, room - len(heading) - 1, note_sampling=False)
    if text:
        sheet.put("shape", f"{heading}\n{text}" if "\n" in text else f"{heading} {text}")


def _samples(value: Any, main: Main | None, subject: Subject, room: int) -> Shown:
    """Write the top level of an object, then first, second and last member of the main part."""
    shown = Shown([], 0, 0, Cuts())
    base = subject.target.path if subject.target else Path()
    if main is None or main.place:
        heading = _label(base) if base else ("Top level" if isinstance(value, dict) else "Value")
        found = sample(value, (room // 2 if main else room) - len(heading) - 2, open_arrays=main is None)
        if found is not None:
            shown.lines.append(f"{heading}: {found.text}")
            room -= len(shown.lines[0]) + 1
            shown.keys = found.members
            shown.cuts.add(found.cuts)
    if main is not None:
        _member_samples(main, base.join(main.place.steps), room, shown)
    return shown


def _member_samples(main: Main, place: Path, room: int, shown: Shown) -> None:
    members = list(_members(main))
    each = room // max(len(members), 1)
    form = 0
    while members:
        step, member = members.pop(0)
        label = _label(place.child(step))
        found = sample(member, each - len(label) - 3, form=form)
        if found is not None and len(members) > 1 and _loses_keys(member, found):
            # Two members with more of their keys tell more than three.
            members = members[1:]
            each = room // 2
            found = sample(member, each - len(label) - 3, form=form)
        if found is None or (found.members == 0 and found.cuts.folded):
            continue  # a folded member tells nothing that the shape does not
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


def _loses_keys(member: Any, found: Sample) -> bool:
    return isinstance(member, dict) and found.members < len(member)


def _label(path: Path) -> str:
    """Write a path, or say what it leads to where a key in it is too long to be of use."""
    longest = max((len(step.name) for step in path.steps if isinstance(step, Key)), default=0)
    if longest > KEY:
        return f"(under a key of {counted(longest, 'character')})"
    text = str(path)
    return text if len(text) <= LONGEST else f"(under a path of {counted(len(text), 'character')})"


def _members(main: Main) -> Iterator[tuple[Step, Any]]:
    """Steps to the members that are shown, and those; scalars of a list come as one run."""
    container = main.container
    total = len(container)
    if isinstance(container, dict):
        names = list(islice(container, 2))
        last = next(reversed(container), None)
        for name in [*names, *([last] if total > len(names) else [])]:
            yield Key(name), container[name]
        return
    if _is_run(main):
        run = min(total, RUN)
        yield Slice(0, run), list(container[:run])
        if total > run:
            yield Index(total - 1), container[-1]
        return
    for position in sorted({0, min(1, total - 1), total - 1}):
        yield Index(position), container[position]


def _left_out(value: Any, main: Main | None, shown: Shown) -> list[str]:
    """The sentence about what is not shown, in full and short form."""
    cuts = shown.cuts
    parts = []
    if main is not None and (total := len(main.container)) > shown.members:
        where = f" of {main.place}" if main.place and len(str(main.place)) <= KEY else ""
        parts.append(f"{number(total - shown.members)} of {counted(total, main.noun)}{where}")
    if (main is None or main.place) and isinstance(value, dict) and shown.keys < len(value):
        parts.append(f"{number(len(value) - shown.keys)} of {counted(len(value), 'top-level key')}")
    short = f"Left out: {', '.join(parts)}."
    rest = [
        f"the rest of {counted(cuts.texts, 'long text')}" if cuts.texts else "",
        f"the rest of {counted(cuts.folded, 'folded part')}" if cuts.folded else "",
        f"{counted(cuts.keys, 'key')} in the samples" if cuts.keys else "",
        f"{counted(cuts.items, 'item')} in the samples" if cuts.items else "",
    ]
    everything = [*parts, *filter(None, rest)]
    if not everything:
        return ["Nothing is left out."]
    return [f"Left out: {', '.join(everything)}.", *([short] if parts else [])]


def _steps(value: Any, main: Main | None, subject: Subject, *, in_text: bool) -> Iterator[str]:
    """Next steps, the most useful first; none where the value was not kept."""
    target = subject.target
    if target is None:
        return
    part = _part(value, main)
    if not part:
        yield passing(target, Path())
        return
    yield call("get", Reference(target.object_id, target.path.join(part.steps)))
    yield passing(target, _inner(value, part))
    if main is None:
        yield call("query", target, filter=jq_filters.for_record(value))
    elif isinstance(main.container, dict):
        yield call("query", target, filter=jq_filters.for_map(main.place, main.shape))
    else:
        filter_ = jq_filters.for_array(main.place, main.shape, pick(main.container, SAMPLED))
        yield call("query", target, filter=filter_)
    word = _word(value, main)
    if word:
        yield call("grep", target, pattern=word)
    if main is not None and len(main.container) > 3:  # noqa: PLR2004
        yield _page(target, main, in_text=in_text)


def _page(target: Reference, main: Main, *, in_text: bool) -> str:
    """The call that gives the next members of the main part."""
    there = target.path.join(main.place.steps)
    start = RUN if _is_run(main) else 2
    end = min(start + 20, len(main.container))
    if start >= end:
        return ""
    if in_text and not main.place:
        # Slicing the object itself would give lines of its text; a path opens the text first.
        path = there.child(Slice(start, end))
        return call("get", Reference(target.object_id, path)) if isinstance(main.container, list) else ""
    return call("slice", Reference(target.object_id, there), start=start, end=end)


def _is_run(main: Main) -> bool:
    """Whether the main part is a list of scalars, which are shown many in a line."""
    return not isinstance(main.container, dict) and main.shape.objects is None and main.shape.arrays is None


def _part(value: Any, main: Main | None) -> Path:
    """A part worth reading next that no sample shows, if there is one; the root where there is no part."""
    if main is None:
        if not isinstance(value, dict):
            return Path()
        names = [name for name in islice(value, SAMPLED) if len(name) <= KEY]
        containers = [name for name in names if isinstance(value[name], (dict, list, tuple))]
        return Path((Key((containers or names)[0]),)) if names else Path()
    if _label(main.place) != str(main.place):
        return Path()
    if isinstance(main.container, dict):
        found = [name for name in islice(main.container, 3) if len(name) <= KEY]
        return main.place.child(Key(found[-1])) if found else main.place
    total = len(main.container)
    if _is_run(main):
        start = RUN if total > RUN + 1 else 0
        return main.place.child(Slice(start, min(start + 20, total)))
    return main.place.child(Index(2 if total > 3 else 0))  # noqa: PLR2004


def _inner(value: Any, part: Path) -> Path:
    """A scalar inside the part, or the part itself."""
    for step in part.steps:
        if isinstance(step, Slice):
            return Path((*part.steps[:-1], Index(step.start or 0)))
        value = value[step.name if isinstance(step, Key) else step.position]
    if isinstance(value, dict):
        names = [name for name in islice(value, SAMPLED) if not isinstance(value[name], (dict, list, tuple))]
        telling = jq_filters.most_telling([name for name in names if len(name) <= KEY])
        if telling:
            return part.child(Key(telling[0]))
    return part


def _word(value: Any, main: Main | None) -> str:
    """A word that occurs in the texts of the first member; ``""`` without one."""
    member: Any = value
    if main is not None and main.container:
        container = main.container
        member = container[next(iter(container))] if isinstance(container, dict) else container[0]
    for text in _texts(member):
        found = _WORD.search(text[:KEY])
        if found is not None and "://" not in text[:KEY]:
            return found.group()
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        texts = [name for name in islice(value, SAMPLED) if isinstance(value[name], str)]
        yield from (value[name] for name in jq_filters.most_telling(texts))
    elif isinstance(value, (list, tuple)):
        yield from (text for text in islice(value, SAMPLED) if isinstance(text, str))
