"""How much work it will be to encode a value, found out for much less than that work."""

import gc
from collections import defaultdict
from typing import Any

CHARACTERS_PER_PART = 100
"""Characters of a text that take as long as one more part."""

FEW = 1000
"""Parts of a value for which it is not worth while to count closely."""

_SCALARS = frozenset({int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict, tuple})
_MOST_DOUBTS = 3
_MOST_LEVELS = 300


def is_small(
    value: Any, most: int = FEW, characters: int = FEW * CHARACTERS_PER_PART, *, with_keys: bool = False
) -> bool:
    """Whether a value is sure to be quickly encoded; where not, it may be all the same.

    Most values are small, and this is said of them in half the time that counting their parts takes: the garbage
    collector's function goes from one level to the next. It is not asked about objects of other classes, since it
    would follow them into everything, nor about a container before its length is known.

    Args:
        value: Anything.
        most: Parts that it may have.
        characters: Characters that the texts in it may have.
        with_keys: Whether keys are counted among the texts.

    Raises:
        TypeError: They are, and one is no text.
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
            return False  # The attributes of an object, which are not told from Python 3.13 on.
    return True


def parts_of(value: Any, most: int) -> int | None:
    """Count the parts of lists, tuples and dicts, long texts as several; ``None`` where there are more than ``most``.

    An object of another class counts as one part. Goes level by level and never looks at more than ``most`` parts. What
    is nested deeper than any encoder takes it counts as too much: asked again at every level of its own, it would be
    walked to its bottom each time.
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


class Scales:
    """Weighs many batches of one value, most of them by a shortcut.

    The garbage collector follows references faster than Python code can. It counts keys too, and knows nothing of the
    length of texts. Of an instance of some class it would count the class and all that hangs on it; so where it finds
    much too much, the parts are counted one by one, and where that happens again and again it is not asked any more.

    Args:
        most: Parts that a batch may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._doubts = 0

    def weigh(self, batch: Any, *, closely: bool) -> int | None:
        """Give the number of parts; ``None`` where there are more than ``most``.

        Args:
            batch: A list or dict.
            closely: Whether to count them one by one in any case, with the length of texts.
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
