"""Which key is due next, for many keys of which most are taken out before they are due."""


class Deadlines:
    """A binary heap that knows where each key is, so that a key can be taken out, in O(log n), without a trace.

    The standard heap cannot take one out from the middle. Leaving it there until it comes up costs memory that grows
    with every overwrite, or pauses of a tenth of a second to clear a hundred thousand of them out.
    """

    def __init__(self) -> None:
        self._due: list[float] = []
        self._keys: list[str] = []
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def earliest(self) -> tuple[float, str] | None:
        """When the next key is due, and which it is; ``None`` if there is none."""
        return (self._due[0], self._keys[0]) if self._keys else None

    def add(self, key: str, due: float) -> None:
        """Add ``key``, which must not be there."""
        self._due.append(due)
        self._keys.append(key)
        self._rise(len(self._keys) - 1, due, key)

    def discard(self, key: str) -> None:
        """Take ``key`` out, if it is there."""
        position = self._positions.pop(key, None)
        if position is None:
            return
        due, last = self._due.pop(), self._keys.pop()
        if position < len(self._keys):  # the last one fills the gap
            risen = self._rise(position, due, last)
            if risen == position:
                self._sink(position, due, last)

    def _rise(self, position: int, due: float, key: str) -> int:
        """Put ``key`` at ``position`` or, past later ones, nearer the top; where it came to rest."""
        while position:
            above = (position - 1) >> 1
            if self._due[above] <= due:
                break
            self._place(position, self._due[above], self._keys[above])
            position = above
        self._place(position, due, key)
        return position

    def _sink(self, position: int, due: float, key: str) -> None:
        """Put ``key`` at ``position`` or, past earlier ones, further from the top."""
        size = len(self._keys)
        while (below := 2 * position + 1) < size:
            if below + 1 < size and self._due[below + 1] < self._due[below]:
                below += 1
            if self._due[below] >= due:
                break
            self._place(position, self._due[below], self._keys[below])
            position = below
        self._place(position, due, key)

    def _place(self, position: int, due: float, key: str) -> None:
        self._due[position] = due
        self._keys[position] = key
        self._positions[key] = position
