"""Estimates the cost of encoding a value, at a small fraction of that cost."""

import gc
from collections import defaultdict
from typing import Any

CHARACTERS_PER_PART = 100
"""Characters of a string that cost as much as one part."""

FEW = 1000
"""Maximum parts of a small value, which is encoded in one step."""

_SCALARS = frozenset({int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict, tuple})
_MOST_DOUBTS = 3
_MOST_LEVELS = 300


def is_small(
    value: Any, most: int = FEW, characters: int = FEW * CHARACTERS_PER_PART, *, with_keys: bool = False
) -> bool:
    """Whether a value is certainly quick to encode; ``False`` means unknown.

    For most values, which are small, this takes half the time of counting their parts: ``gc.get_referents`` goes from
    one level to the next. It is not called with objects of other classes, since it would follow all their references,
    nor with a container before its length is known.

    ``most`` bounds the parts, ``characters`` the strings; ``with_keys``: keys count as strings.

    Raises:
        TypeError: ``with_keys`` is set and a key is not a string.
    """
    parts, length = 1, 0
    level = [value]
    while level:
        before = parts
        for item in level:
            kind = type(item)
            if kind is str:
                length += len(item)
            elif kind not in _SCALARS:
                if kind not in _CONTAINERS:
                    return False
                parts += len(item)
                if with_keys and kind is dict:
                    length += sum(map(len, item))
        if parts > most or length > characters:
            return False
        level = gc.get_referents(*level)
        if len(level) < parts - before:
            return False  # The attributes of an object: gc.get_referents does not give them from Python 3.13 on.
    return True


def parts_of(value: Any, most: int) -> int | None:
    """Count the parts of lists, tuples and dicts, long strings as several; ``None`` if there are more than ``most``.

    An object of another class counts as one part. Goes level by level and never reads more than ``most`` parts. A value
    that is nested deeper than any encoder allows counts as too large, because each of its levels would be traversed.
    """
    parts = 1
    level: list[Any] = [value]
    levels = 0
    while level:
        levels += 1
        if levels > _MOST_LEVELS:
            return None
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                parts += len(item) // CHARACTERS_PER_PART
            elif kind is dict or kind is list or kind is tuple or kind is defaultdict:
                parts += len(item)
                if parts > most:
                    return None
                below.extend(item.values() if kind is dict or kind is defaultdict else item)
        level = below
    return parts if parts <= most else None


class BatchCounter:
    """Counts the parts of many batches of one value, most of them with ``gc.get_referents``.

    It follows references faster than Python code, but counts keys too, ignores the length of strings, and follows
    instances into their class. If it finds too many, the parts are counted one by one, and after a few such batches
    always.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._doubts = 0

    def parts(self, batch: Any, *, closely: bool) -> int | None:
        """Return the number of parts; ``None`` if there are more than ``most``.

        ``closely``: count them one by one in any case, with the length of strings.
        """
        if closely or self._doubts >= _MOST_DOUBTS:
            return parts_of(batch, self._most)
        reached = _reachable(batch, self._most)
        if reached is None:
            reached = parts_of(batch, self._most)
            self._doubts += reached is not None
        return reached


def _reachable(batch: Any, most: int) -> int | None:
    parts = 1
    level = [batch]
    while level := gc.get_referents(*level):
        parts += len(level)
        if parts > most:
            return None
    return parts
