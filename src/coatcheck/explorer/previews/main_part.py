"""The main part of a value, which makes it large, and paths into it."""

from typing import Any, NamedTuple

from coatcheck.errors import counted
from coatcheck.explorer.previews.shape import Shape
from coatcheck.explorer.previews.wording import quote
from coatcheck.explorer.tool_names import DEFAULT_PREFIX, listed_name
from coatcheck.references import Index, Key, Path, Reference, Slice, Step

LONGEST = 400
"""Maximum characters of a suggestion; longer ones are dropped."""


def call(tool: str, target: Reference, **arguments: str | int) -> str:
    """Write a call of an object tool by its name after ``object_store_``; ``""`` if it gets too long."""
    name = listed_name(DEFAULT_PREFIX + tool)
    written = [f'object_id="@{target.object_id}"']
    if target.path:
        written.append(f"path={_argument(str(target.path))}")
    written += [f"{argument}={_argument(value)}" for argument, value in arguments.items()]
    text = f"{name}({', '.join(written)})"
    return text if name and len(text) <= LONGEST else ""


def reference_usage(target: Reference, part: Path) -> str:
    """Return the sentence that any argument may be the reference or a part of it."""
    whole = str(target)
    if len(whole) > LONGEST:
        return "Any argument may be the reference."
    example = f"{whole}{part}"
    also = f" or a part such as {example}" if part and len(example) <= LONGEST else ""
    return f"Any argument may be {whole}{also}."


def _argument(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if '"' in value and "'" not in value and "\\" not in value:
        return f"'{value}'"
    return quote(value)


RUN = 10
"""Scalars of a list that are shown in one line."""
KEY = 120
"""Maximum characters of a key in a path of a preview."""


class Main(NamedTuple):
    """The main part of a value: the list or map whose members are sampled."""

    place: Path  # its path from the value
    container: Any
    shape: Shape  # that of one member

    @property
    def is_run(self) -> bool:
        """Whether it is a list of scalars, which share a line."""
        return not isinstance(self.container, dict) and self.shape.objects is None and self.shape.arrays is None

    @property
    def noun(self) -> str:
        """The noun for its members."""
        return "key" if isinstance(self.container, dict) else "item"


def find_main(value: Any, shape: Shape) -> Main | None:
    """Find the largest list or map on a path through single objects, also in lists; ``None`` if there is none."""
    best: tuple[int, tuple[Step, ...], Shape] | None = None
    places: list[tuple[tuple[Step, ...], Shape]] = [((), shape)]
    for path, here in places:
        objects, arrays = here.objects, here.arrays
        weight, members = 0, None
        if objects is not None and objects.values is not None:
            weight, members = objects.keys.most, objects.values
        elif objects is not None and objects.seen == 1:
            places.extend(((*path, Key(name)), field) for name, field in (objects.fields or {}).items())
        elif arrays is not None and arrays.items is not None:
            weight, members = arrays.lengths.most, arrays.items
            if weight == 1 and arrays.items.objects is not None:  # such as the one series of a result
                places.append(((*path, Index(0)), arrays.items))
        if members is not None:
            # a few scalars are visible at the top level
            records = members.objects is not None or members.arrays is not None
            inside = (members.objects.fields or {}).values() if members.objects is not None else ()
            # of lists of the same length, the one whose records have more in them
            weight = 4 * weight + any(field.objects or field.arrays for field in inside) if records else weight
            if not path or ((records or weight > RUN) and (best is None or weight > best[0])):
                best = (weight, path, members)
    if best is None:
        return None
    place = Path(best[1])
    return Main(place, at(value, place), best[2])


def at(value: Any, path: Path) -> Any:
    """Return the part at an existing path."""
    for step in path.steps:
        if isinstance(step, Slice):
            value = value[step.start : step.stop]
        else:
            value = value[step.name if isinstance(step, Key) else step.position]
    return value


def label_of(path: Path) -> str:
    """Write a path, or a description if one of its keys is too long."""
    text = str(path)
    if len(text) <= KEY:
        return text
    longest = max((len(step.name) for step in path.steps if isinstance(step, Key)), default=0)
    if longest > KEY:
        return f"(under a key of {counted(longest, 'character')})"
    return text if len(text) <= LONGEST else f"(under a path of {counted(len(text), 'character')})"
