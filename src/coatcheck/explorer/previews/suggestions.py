"""Suggests calls for a list or an object: few, with actual paths and fields, and with short results."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from coatcheck.explorer.previews.columns import columns_beside, has_header_row, parallel_parts
from coatcheck.explorer.previews.jq_filters import (
    SHOWN,
    for_array,
    for_columns,
    for_header_row,
    for_map,
    for_parallel,
    for_record,
    jq_path,
)
from coatcheck.explorer.previews.jq_picks import LONG_TEXT, identifying_fields, projection, typed_members
from coatcheck.explorer.previews.main_part import KEY, RUN, Main, at, call, find_main, label_of, reference_usage
from coatcheck.explorer.previews.samples import render_whole, whole_length
from coatcheck.explorer.previews.shape import MOST_FIELDS, SAMPLED, describe, pick
from coatcheck.explorer.previews.wording import Subject
from coatcheck.explorer.texts import HEAD, may_be_opened
from coatcheck.references import Index, Key, Path, Reference, Slice
from coatcheck.references.walking import LINES

LIGHT = 1_500
"""Maximum characters of a suggested call's result; fewer in tables of numbers, which have more tokens."""
MOST_ITEMS = 20
MOST_TYPED_SHOWN = 6
"""Maximum members of one record that name their type."""
MOST_NAMES = 100
"""Maximum names of fields in a suggested call's result."""


def suggestions(
    value: Any, main: Main | None, subject: Subject, target: Reference, *, is_text: bool = False
) -> Iterator[str]:
    """Next steps, the most useful first; ``is_text``: the value was parsed from a text in a format other than JSON."""
    part = _part(value, main)
    if not part:
        yield reference_usage(target, Path())
        return
    yield call("query", target, filter=_filter(value, main))
    inner = _inner(value, part)
    page = _second_list(value, main, target)
    if main is not None and not page:
        available = subject.light(LIGHT)
        if len(main.container) > SHOWN:
            is_map = isinstance(main.container, dict)
            members = ({name: member} for name, member in main.container.items()) if is_map else main.container
            is_light = subject.characters <= available and not is_text
            page = _page(target, main.place, members, RUN if main.is_run else 1, available, is_light=is_light)
        else:
            page = _page_inside(target, main, available)
    step = page or _look_into(target, part, inner, at(value, part), subject.light(LIGHT))
    if page or main is None or step != call("get", target.join(inner)):  # the filter returns such a field of all items
        yield step
    yield reference_usage(target, inner)


def example_filter(value: Any) -> str:
    """Return a filter that works on a value."""
    if isinstance(value, str):
        return 'split("\\n") | map(select(test("word")))'
    return _filter(value, find_main(value, describe([value]))) if value and isinstance(value, (dict, list)) else ""


def _look_into(target: Reference, part: Path, inner: Path, member: Any, available: int) -> str:
    """The call that returns a member, or the parts of a long one that its sample omits: names, the longest text."""
    if render_whole(member, available) is not None:
        return call("get", target.join(part))
    if isinstance(member, str):
        return call("get", target.join(_start_of(part, member)))
    found = inner
    if isinstance(member, dict):
        if len(member) > MOST_FIELDS:
            more = Slice(MOST_FIELDS, MOST_FIELDS + MOST_NAMES)
            return call("query", target, filter=f"{jq_path(part)} | keys_unsorted | .{more}")
        texts = [(len(text), name) for name, text in member.items() if isinstance(text, str) and len(name) <= KEY]
        length, name = max(texts, default=(0, ""))
        lists = [(len(inside), name) for name, inside in islice(member.items(), SAMPLED) if isinstance(inside, list)]
        most, longest = max(lists, default=(0, ""))
        if length > LONG_TEXT:
            found = _start_of(part.child(Key(name)), member[name])
        elif most > SHOWN and len(longest) <= KEY:
            return _page(target, part.child(Key(longest)), member[longest], 0, available)
        elif inner == part:
            names = [name for name in islice(member, SAMPLED) if len(name) <= KEY]
            short = next((name for name in names if render_whole(member[name], available) is not None), None)
            found = part if short is None else part.child(Key(short))
    return call("get", target.join(found))


def _start_of(path: Path, text: str) -> Path:
    """The path of the start of a long text; by lines if a path would lead into the document that the text contains."""
    if not may_be_opened(text[:HEAD]):
        return path.child(Slice(0, LIGHT))
    lines = text.count("\n", 0, LIGHT)
    return path.join((LINES, Slice(0, lines))) if lines else path


def _filter(value: Any, main: Main | None) -> str:
    if (main is None or len(main.container) <= SHOWN) and isinstance(value, dict) and (typed := typed_members([value])):
        return projection(typed[:MOST_TYPED_SHOWN])
    if main is None:
        return for_record(value)
    if isinstance(main.container, dict):
        values = dict(islice(main.container.items(), SAMPLED))
        if main.shape.objects is None and (names := parallel_parts(value, main.place)):
            return for_parallel(main.place, names, are_maps=True)
        return for_map(main.place, main.shape, values, len(main.container))
    columns = columns_beside(value, main.place)
    if columns is not None and len(set(columns.names)) == len(columns.names):  # else an object would lose a column
        return for_columns(main.place, columns)
    if main.shape.arrays is not None and has_header_row(main.container):
        return for_header_row(main.place)
    if main.is_run and (names := parallel_parts(value, main.place)):
        return for_parallel(main.place, names, are_maps=False)
    return for_array(main.place, main.shape, pick(main.container, SAMPLED), len(main.container))


def _second_list(value: Any, main: Main | None, target: Reference) -> str:
    """The call for a second list of records, not much shorter than the main one; ``""`` without one."""
    if main is None or not isinstance(value, dict) or len(main.place.steps) != 1:
        return ""
    lists = [
        (len(member), name)
        for name, member in islice(value.items(), SAMPLED)
        if member is not main.container and isinstance(member, list) and len(name) <= KEY
    ]
    length, name = max(lists, default=(0, ""))
    if length <= SHOWN or 4 * length < len(main.container) or not isinstance(value[name][0], dict):
        return ""
    found = value[name]
    items = describe([found]).arrays
    if items is None or items.items is None:
        return ""
    return call("query", target, filter=for_array(Path((Key(name),)), items.items, pick(found, SAMPLED), length))


def _page_inside(target: Reference, main: Main, available: int) -> str:
    """The call that returns the first items of the longest list in a few records that are shown."""
    lists = [
        (main.place.child(Index(place)).child(Key(name)), member)
        for place, item in enumerate(main.container if isinstance(main.container, (list, tuple)) else ())
        if isinstance(item, dict)
        for name, member in islice(item.items(), SAMPLED)
        if isinstance(member, list) and len(member) > SHOWN and len(name) <= KEY
    ]
    longest = max(lists, key=lambda found: len(found[1]), default=None)
    return "" if longest is None else _page(target, *longest, 0, available)


def _page(
    target: Reference, place: Path, members: Iterable[Any], start: int, available: int, *, is_light: bool = False
) -> str:
    """The call that returns members of a part from a position on, as many as stay short together."""
    found = list(islice(members, start, start + MOST_ITEMS))
    end = start + len(found)
    if not is_light and whole_length(found, available) > available:
        end = start
        for member in found:
            available -= whole_length(member, available) + 1
            if available < 0:
                break
            end += 1
    return call("slice", target.join(place), start=start, end=end) if start < end else ""


def _part(value: Any, main: Main | None) -> Path:
    """A part to read next that no sample shows, if there is one; else the root."""
    if main is None:
        if not isinstance(value, dict):
            return Path()
        names = [name for name in islice(value, SAMPLED) if len(name) <= KEY]
        containers = [name for name in names if isinstance(value[name], (dict, list, tuple))]
        texts = sorted(names, key=lambda name: -len(text) if isinstance(text := value[name], str) else 0)
        return Path((Key((containers or texts)[0]),)) if names else Path()
    if main.place and label_of(main.place) != str(main.place):
        return Path()
    if isinstance(main.container, dict):
        found = [name for name in islice(main.container, 3) if len(name) <= KEY]
        return main.place.child(Key(found[-1])) if found else main.place
    total = len(main.container)
    if main.is_run:
        start = RUN if total > RUN + 1 else 0
        return main.place.child(Slice(start, min(start + 20, total)))
    return main.place.child(Index(1 if total > 2 else 0))  # noqa: PLR2004


def _inner(value: Any, part: Path) -> Path:
    """A scalar inside the part, or the part itself."""
    last = part.steps[-1]
    if isinstance(last, Slice):
        return Path((*part.steps[:-1], Index(last.start or 0)))
    member = at(value, part)
    if isinstance(member, dict):
        names = [
            name
            for name, inner in islice(member.items(), SAMPLED)
            if not isinstance(inner, (dict, list, tuple)) and len(name) <= KEY
        ]
        if names:
            return part.child(Key(identifying_fields(names)[0]))
    return part
