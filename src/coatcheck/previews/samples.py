"""Parts of a value as compact JSON within a number of characters, and a true count of what was cut on the way.

Three marks stand for what is not shown: ``"abc…(+1,234 characters)"`` a text that goes on, ``{…3}`` and ``[…12]``
parts that are folded, ``…+7 keys`` and ``…+7 items`` the rest of an object or array.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from coatcheck.previews.wording import INTEGER_BITS, NotPlain, counted, number, quote, write_scalar

MOST_MEMBERS = 60
"""Keys or items of one container that are shown."""
FORMS = ((160, 2, 3), (80, 1, 3), (40, 1, 0), (16, 1, 0))
"""Ways to show a value, fullest first: characters of a text, levels of objects, items of an inner array."""


@dataclass(slots=True)
class Cuts:
    """What is not shown of the values that are: texts that go on, parts that are folded, keys and items left off."""

    texts: int = 0
    folded: int = 0
    keys: int = 0
    items: int = 0

    def add(self, other: "Cuts") -> None:
        """Count another value's cuts too."""
        self.texts += other.texts
        self.folded += other.folded
        self.keys += other.keys
        self.items += other.items


def sample(value: Any, room: int) -> tuple[str, Cuts] | None:
    """Write a value in at most ``room`` characters, in the fullest form that loses no key; ``None`` if not even folded.

    Raises:
        NotPlain: A part that would be shown is no JSON value.
    """
    text, cuts = "", Cuts()
    for width, levels, items in FORMS:
        cuts = Cuts()
        text = _Folding(width, items, cuts).write(value, room, levels, outermost=True)
        if len(text) <= room and not cuts.keys:
            return text, cuts
    return (text, cuts) if len(text) <= room else None


class _Folding:
    """One way to show a value; counts into ``cuts``."""

    def __init__(self, width: int, items: int, cuts: Cuts) -> None:
        self.width = width
        self.items = items
        self.cuts = cuts

    def write(self, value: Any, room: int, levels: int, *, outermost: bool = False) -> str:
        """Write a value; only a scalar, or a container's shortest form, may be longer than ``room``."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, dict):
            if not value:
                return "{}"
            return self._fold(value, "{", "}") if levels == 0 else self._object(value, room, levels)
        if isinstance(value, (list, tuple)):
            if not value:
                return "[]"
            most = MOST_MEMBERS if outermost else self.items
            return self._fold(value, "[", "]") if levels == 0 or not most else self._array(value, room, levels, most)
        if type(value) is int and value.bit_length() > INTEGER_BITS:
            self.cuts.folded += 1
        return write_scalar(value)

    def _string(self, value: str) -> str:
        more = len(value) - self.width
        if more <= 0:
            return quote(value)
        self.cuts.texts += 1
        return f'{quote(value[: self.width])[:-1]}…(+{number(more)} characters)"'

    def _fold(self, value: Any, left: str, right: str) -> str:
        self.cuts.folded += 1
        return f"{left}…{number(len(value))}{right}"

    def _object(self, value: dict[Any, Any], room: int, levels: int) -> str:
        total = len(value)
        room -= 2
        end = len(f",…+{counted(total, 'key')}")
        pieces: list[str] = []
        for name, member in islice(value.items(), MOST_MEMBERS):
            if not isinstance(name, str):
                raise NotPlain(type(name))
            before = (self.cuts.texts, self.cuts.folded, self.cuts.keys, self.cuts.items)
            key = self._string(name)
            needed = 0 if len(pieces) + 1 == total else end
            piece = f"{key}:{self.write(member, room - len(key) - 2 - needed, levels - 1)}"
            if len(piece) + 1 + needed > room:
                self.cuts.texts, self.cuts.folded, self.cuts.keys, self.cuts.items = before
                break
            room -= len(piece) + 1
            pieces.append(piece)
        if not pieces:
            return self._fold(value, "{", "}")
        if len(pieces) < total:
            self.cuts.keys += total - len(pieces)
            pieces.append(f"…+{counted(total - len(pieces), 'key')}")
        return f"{{{','.join(pieces)}}}"

    def _array(self, value: Sequence[Any], room: int, levels: int, most: int) -> str:
        total = len(value)
        room -= 2
        end = len(f",…+{counted(total, 'item')}")
        pieces: list[str] = []
        for item in islice(value, most):
            before = (self.cuts.texts, self.cuts.folded, self.cuts.keys, self.cuts.items)
            needed = 0 if len(pieces) + 1 == total else end
            piece = self.write(item, room - 1 - needed, levels - 1)
            if len(piece) + 1 + needed > room:
                self.cuts.texts, self.cuts.folded, self.cuts.keys, self.cuts.items = before
                break
            room -= len(piece) + 1
            pieces.append(piece)
        if not pieces:
            return self._fold(value, "[", "]")
        if len(pieces) < total:
            self.cuts.items += total - len(pieces)
            pieces.append(f"…+{counted(total - len(pieces), 'item')}")
        return f"[{','.join(pieces)}]"
