"""Parts of a value as compact JSON within a number of characters, and a true count of what was cut on the way.

Three marks stand for what is not shown: ``"abc…(+1,234 characters)"`` a text that goes on, ``{…3}`` and ``[…12]``
parts that are folded, ``…+7 keys`` and ``…+7 items`` the rest of an object or array.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from coatcheck.errors import counted
from coatcheck.previews.whole import render_line
from coatcheck.previews.wording import INTEGER_BITS, NotPlain, number, quote, write_scalar

MOST_MEMBERS = 60
"""Keys or items of one container that are shown."""
FORMS = ((120, 2, 3), (60, 2, 3), (60, 1, 3), (30, 1, 0), (16, 1, 0))
"""Ways to show a value, fullest first: characters of a text, levels of objects, items of an inner array."""


@dataclass(slots=True)
class Cuts:
    """What is not shown of the values that are: texts that go on, parts that are folded, keys and items left off."""

    texts: int = 0
    folded: int = 0
    keys: int = 0
    items: int = 0

    def counts(self) -> tuple[int, int, int, int]:
        """Give all four numbers."""
        return self.texts, self.folded, self.keys, self.items

    def add(self, other: "Cuts") -> None:
        """Count another value's cuts too."""
        self.texts += other.texts
        self.folded += other.folded
        self.keys += other.keys
        self.items += other.items


SHORT = 240
"""Characters of a member that is shown as it is."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value as text, how many of its own members that holds, what is cut further inside, and the form it took."""

    text: str
    members: int
    cuts: Cuts
    form: int


def sample(value: Any, room: int, *, open_arrays: bool = True, form: int = 0) -> Sample | None:
    """Write a value in at most ``room`` characters, in the fullest form that loses no key; ``None`` if not even folded.

    Args:
        value: Any JSON value.
        room: Characters.
        open_arrays: Whether arrays inside the value show their first items.
        form: The fullest of ``FORMS`` to try, where it is known from a value of the same kind.

    Raises:
        NotPlain: A part that would be shown is no JSON value.
    """
    total = len(value) if isinstance(value, (dict, list, tuple)) else 0
    if total and open_arrays and form == 0:
        # Nothing is cut in a short member, so nothing has to be weighed against anything.
        line = render_line(value, min(room, SHORT))
        if line is not None:
            return Sample(line, total, Cuts(), 0)
    found = None
    for place, (width, levels, items) in enumerate(FORMS[form:], form):
        folding = _Folding(width, items if open_arrays else 0)
        text = folding.outermost(value, room, levels)
        if len(text) <= room:
            found = Sample(text, folding.members, folding.cuts, place)
            if folding.cuts.keys == 0 and (folding.members == total or not isinstance(value, dict)):
                break
    return found


class _Folding:
    """One way to show a value: the length of texts and of inner arrays."""

    def __init__(self, width: int, items: int) -> None:
        self.width = width
        self.items = items
        self.cuts = Cuts()
        self.members = 0

    def outermost(self, value: Any, room: int, levels: int) -> str:
        """Write the value that a sample is of; of a long list, as many items as fit."""
        if not isinstance(value, (dict, list, tuple)) or not value:
            return self.write(value, room, levels)
        text, self.members = self._container(value, room, levels, MOST_MEMBERS)
        return text

    def write(self, value: Any, room: int, levels: int) -> str:
        """Write a value; only a scalar, or a container's folded form, may be longer than ``room``."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, (dict, list, tuple)):
            if not value:
                return "{}" if isinstance(value, dict) else "[]"
            most = MOST_MEMBERS if isinstance(value, dict) else self.items
            if levels == 0 or most == 0:
                return self._fold(value)
            text, members = self._container(value, room, levels, most)
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
        if more <= 0:
            return quote(value)
        self.cuts.texts += 1
        return f'{quote(value[: self.width])[:-1]}…(+{number(more)} characters)"'

    def _fold(self, value: Any) -> str:
        self.cuts.folded += 1
        return f"{{…{number(len(value))}}}" if isinstance(value, dict) else f"[…{number(len(value))}]"

    def _container(self, value: Any, room: int, levels: int, most: int) -> tuple[str, int]:
        """Write the first members that fit, and tell how many; without any, the container is folded."""
        total = len(value)
        keyed = isinstance(value, dict)
        noun = "key" if keyed else "item"
        room -= 2
        rest = len(f",…+{counted(total, noun)}")
        pieces: list[str] = []
        for member in islice(value.items() if keyed else value, most):
            before = self.cuts.counts()
            needed = 0 if len(pieces) + 1 == total else rest
            if keyed:
                key = self._key(member[0])
                piece = f"{key}:{self.write(member[1], room - len(key) - 2 - needed, levels - 1)}"
            else:
                piece = self.write(member, room - 1 - needed, levels - 1)
            if len(piece) + 1 + needed > room + 1:
                self.cuts = Cuts(*before)
                break
            room -= len(piece) + 1
            pieces.append(piece)
        shown = len(pieces)
        if not shown:
            return self._fold(value), 0
        if shown < total:
            pieces.append(f"…+{counted(total - shown, noun)}")
        inside = ",".join(pieces)
        return (f"{{{inside}}}" if keyed else f"[{inside}]"), shown

    def _key(self, name: Any) -> str:
        if not isinstance(name, str):
            raise NotPlain(type(name))
        return self._string(name)
