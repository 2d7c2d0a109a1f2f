"""Which calls to suggest for a list or an object, with its real paths, fields and words."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from coatcheck.previews import jq_filters
from coatcheck.previews.main_part import KEY, RUN, Main, label_of
from coatcheck.previews.next_steps import call, passing
from coatcheck.previews.schema import SAMPLED, pick
from coatcheck.previews.subject import Subject
from coatcheck.references import Index, Key, Path, Reference, Slice

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{3,19}")


def suggestions(value: Any, main: Main | None, subject: Subject, *, in_text: bool) -> Iterator[str]:
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
    start = RUN if main.is_run else 2
    end = min(start + 20, len(main.container))
    if start >= end:
        return ""
    if in_text and not main.place:
        # Slicing the object itself would give lines of its text; a path opens the text first.
        path = there.child(Slice(start, end))
        return call("get", Reference(target.object_id, path)) if isinstance(main.container, list) else ""
    return call("slice", Reference(target.object_id, there), start=start, end=end)


def _part(value: Any, main: Main | None) -> Path:
    """A part worth reading next that no sample shows, if there is one; the root where there is no part."""
    if main is None:
        if not isinstance(value, dict):
            return Path()
        names = [name for name in islice(value, SAMPLED) if len(name) <= KEY]
        containers = [name for name in names if isinstance(value[name], (dict, list, tuple))]
        return Path((Key((containers or names)[0]),)) if names else Path()
    if label_of(main.place) != str(main.place):
        return Path()
    if isinstance(main.container, dict):
        found = [name for name in islice(main.container, 3) if len(name) <= KEY]
        return main.place.child(Key(found[-1])) if found else main.place
    total = len(main.container)
    if main.is_run:
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
