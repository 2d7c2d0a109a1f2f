"""Parts of a value as compact JSON within a number of characters, with exact counts of omitted parts.

Three marks show omissions: ``"abc…(+1,234 characters)"`` for a longer text, ``{…3}`` and ``[…12]`` for folded parts,
and ``…+7 keys`` and ``…+7 items`` for the rest of an object or array.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from coatcheck.codec import dump_each_shown, dump_plain, dump_shown
from coatcheck.errors import counted
from coatcheck.explorer.previews.wording import (
    INTEGER_BITS,
    NoJsonForm,
    escape_line_breaks,
    kind_of,
    mark_lines,
    quote,
    write_scalar,
)

ONE_LINE = 100
"""Maximum characters of JSON on one line."""

MOST_LEVELS = 200
"""Levels of nesting beyond which a value is not shown whole, as decoders fail too."""


def render_whole(value: Any, limit: int, size: int | None = None) -> str | None:
    """Return a value's full text if it has at most ``limit`` characters, else ``None``.

    A text is returned with a space before each line (see ``mark_lines``), anything else as JSON: on one line if it is
    short, else with a line for each member of the outermost list or object, if that fits. Indentation would cost tokens
    without information. The cost depends on the limit, not on the value's size.

    ``size`` are the bytes of its JSON, if they are known.

    Raises:
        NoJsonForm: The value contains a Python object without a JSON form.
    """
    if isinstance(value, str):
        if len(value) > limit:
            return None
        marked = mark_lines(str.__str__(value))
        return marked if len(marked) <= limit else None
    text = _compact(value, limit, size)
    if text is None:
        return None
    in_lines = _in_lines(value, limit) if len(text) > ONE_LINE else None
    forms = [escape_line_breaks(form) for form in (in_lines, text) if form]
    return next((form for form in forms if len(form) <= limit), None)


def whole_length(value: Any, limit: int) -> int:
    """Estimate the characters of a value's full text; any number above ``limit`` if it exceeds the limit."""
    text = value if isinstance(value, str) else _compact(value, limit)
    return limit + 1 if text is None else len(text)


def render_line(value: Any, limit: int, size: int | None = None) -> str | None:
    """Return a value as one printable line of JSON if it has at most ``limit`` characters, else ``None``.

    ``size`` are the bytes of its JSON or of a value around it, if they are known.
    """
    text = _compact(value, limit, size)
    # A lone surrogate makes the encoder escape the whole text; other forms are more readable.
    return text if text is not None and text.isprintable() and "\\ud" not in text else None


def _compact(value: Any, limit: int, size: int | None = None) -> str | None:
    encoded = dump_plain(value, limit, size)
    if encoded is None:
        if _length_bound(value, limit) > limit:
            return None
        encoded = dump_shown(value)
    text = encoded.decode()
    return text if len(text) <= limit else None


def _in_lines(value: Any, limit: int) -> str | None:
    """Write each member of a list or object on its own line, if that helps and fits."""
    if isinstance(value, dict):
        members = [one[1:-1] for one in dump_each_shown([{name: member} for name, member in value.items()])]
        brackets = "{}"
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        members = dump_each_shown(value)
        brackets = "[]"
    else:
        return None
    text = "\n".join((brackets[0], b",\n".join(members).decode(), brackets[1]))
    return text if len(text) <= limit else None


def _length_bound(value: Any, limit: int) -> int:
    """Return a lower bound of a value's length as compact JSON; stops once it is over the limit."""
    compact = 0
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        if compact > limit:
            break
        item, level = pending.pop()
        if isinstance(item, str):
            compact += len(item) + 2
        elif isinstance(item, dict):
            compact += 2 * len(item) + 1 + (not item)
            if level >= MOST_LEVELS or compact > limit:
                return limit + 1
            if item and set(map(type, item)) != {str}:
                _require_text_keys(item)
            compact += 2 * len(item) + sum(map(len, item))
            pending.extend((member, level + 1) for member in item.values())
        elif isinstance(item, (list, tuple)):
            compact += len(item) + 1 + (not item)
            if level >= MOST_LEVELS or compact > limit:
                return limit + 1
            pending.extend((member, level + 1) for member in item)
        else:
            kind_of(type(item))
            compact += max(int(item.bit_length() * 0.3), 1) if isinstance(item, int) else 3
    return compact


def _require_text_keys(item: dict[Any, Any]) -> None:
    for name in item:
        if not isinstance(name, str):
            raise NoJsonForm(type(name))


MOST_MEMBERS = 60
"""Keys or items of one container that are shown."""
IN_SHORT = 3
"""The first of the short ``FORMS``."""
FORMS = ((120, 2, 3), (60, 2, 3), (60, 1, 3), (30, 1, 0), (16, 1, 0))
"""Ways to show a value, fullest first: characters of a text, levels of objects, items of an inner array."""


@dataclass(slots=True)
class Cuts:
    """Counts of what is omitted inside shown values: ends of texts, folded parts, keys and items."""

    texts: int = 0
    folded: int = 0
    keys: int = 0
    items: int = 0

    def counts(self) -> tuple[int, int, int, int]:
        """Return all four numbers."""
        return self.texts, self.folded, self.keys, self.items

    def add(self, other: "Cuts") -> None:
        """Add the counts of another value."""
        self.texts += other.texts
        self.folded += other.folded
        self.keys += other.keys
        self.items += other.items


SHORT_ARRAY, ROW = 20, 120
"""Maximum items and characters of an array of scalars that is shown whole."""
SHORT = 240
"""Maximum characters of a member that is shown unchanged."""
MARK = 20
"""Characters by which a text may exceed its width, because the mark of a cut is as long."""
MOST_WITH_NULL = 20
"""Keys up to which an object's members are shown in order; with more keys, null values come last."""
MOST_SORTED = 200
MOST_NUMBERS = 12
"""Maximum numbers of a list that are shown, because each costs several tokens."""


class Sample(NamedTuple):
    """A value as text, the number of its members in it, the cuts inside, and the form that was used."""

    text: str
    members: int
    cuts: Cuts
    form: int


def sample(
    value: Any,
    available: int,
    *,
    open_arrays: bool = True,
    form: int = 0,
    in_short: bool = False,
    size: int | None = None,
) -> Sample | None:
    """Write a value in at most ``available`` characters, in the fullest form that has all keys, or ``None``.

    ``open_arrays``: arrays inside show their first items; ``form``: the fullest of ``FORMS`` to try, if it is known
    from a similar value; ``in_short``: a value that does not fit whole takes one of the last forms; ``size``: see
    ``render_line``.

    Raises:
        NoJsonForm: A shown part is not a JSON value.
    """
    total = len(value) if isinstance(value, (dict, list, tuple)) else 0
    if total and open_arrays and form == 0:
        # Nothing is cut in a short member, so no form has to be chosen.
        line = render_line(value, min(available, SHORT), size)
        if line is not None:
            return Sample(line, total, Cuts(), 0)
    form = max(form, IN_SHORT) if in_short else form
    found = None
    for place, (width, levels, items) in enumerate(FORMS[form:], form):
        folding = _SampleWriter(width, items if open_arrays else 0)
        text = folding.outermost(value, available, levels)
        if len(text) <= available:
            found = Sample(text, folding.members, folding.cuts, place)
            if folding.cuts.keys == 0 and (folding.members == total or not isinstance(value, dict)):
                break
    return found


class _SampleWriter:
    """One way to show a value: the length of texts and of inner arrays."""

    def __init__(self, width: int, items: int) -> None:
        self.width = width
        self.items = items
        self.cuts = Cuts()
        self.members = 0

    def outermost(self, value: Any, available: int, levels: int) -> str:
        """Write the sampled value; of a long list, as many items as fit."""
        if not isinstance(value, (dict, list, tuple)) or not value:
            return self.write(value, available, levels)
        most = (
            MOST_NUMBERS if not isinstance(value, dict) and all(map(_is_number, value[:MOST_NUMBERS])) else MOST_MEMBERS
        )
        text, self.members = self._container(value, available, levels, most)
        return text

    def write(self, value: Any, available: int, levels: int) -> str:
        """Write a value; only a scalar, or a container's folded form, may be longer than ``available``."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, (dict, list, tuple)):
            if not value:
                return "{}" if isinstance(value, dict) else "[]"
            if not isinstance(value, dict) and len(value) <= SHORT_ARRAY and not any(map(_is_container, value)):
                line = render_line(value, ROW)
                if line is not None and len(line) <= available:
                    return line  # folding would hardly shorten it
            most = MOST_MEMBERS if isinstance(value, dict) else self.items
            if levels == 0 or most == 0:
                return self._fold(value)
            text, members = self._container(value, available, levels, most)
            if members and members < len(value):
                if isinstance(value, dict):
                    self.cuts.keys += len(value) - members
                else:
                    self.cuts.items += len(value) - members
            return text
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
            self.cuts.folded += 1
        return write_scalar(value)

    def _string(self, value: str) -> str:
        more = len(value) - self.width
        if more <= MARK:
            return quote(value)
        self.cuts.texts += 1
        return f'{quote(value[: self.width])[:-1]}…(+{more:,} characters)"'

    def _fold(self, value: Any) -> str:
        self.cuts.folded += 1
        return f"{{…{len(value):,}}}" if isinstance(value, dict) else f"[…{len(value):,}]"

    def _container(self, value: Any, available: int, levels: int, most: int) -> tuple[str, int]:
        """Write the first members that fit, and return their number; if none fits, the container is folded."""
        total = len(value)
        keyed = isinstance(value, dict)
        noun = "key" if keyed else "item"
        available -= 2
        rest = len(f",…+{counted(total, noun)}")
        pieces: list[str] = []
        members = value.items() if keyed else value
        if keyed and MOST_WITH_NULL < total <= MOST_SORTED:
            members = sorted(members, key=lambda entry: entry[1] is None)
        for member in islice(members, most):
            before = self.cuts.counts()
            needed = 0 if len(pieces) + 1 == total else rest
            if keyed:
                if not isinstance(member[0], str):
                    raise NoJsonForm(type(member[0]))
                key = self._string(member[0])
                piece = f"{key}:{self.write(member[1], available - len(key) - 2 - needed, levels - 1)}"
            else:
                piece = self.write(member, available - 1 - needed, levels - 1)
            if len(piece) + 1 + needed > available + 1:
                self.cuts = Cuts(*before)
                break
            available -= len(piece) + 1
            pieces.append(piece)
        shown = len(pieces)
        if not shown:
            return self._fold(value), 0
        if shown < total:
            pieces.append(f"…+{counted(total - shown, noun)}")
        inside = ",".join(pieces)
        return (f"{{{inside}}}" if keyed else f"[{inside}]"), shown


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list, tuple))
