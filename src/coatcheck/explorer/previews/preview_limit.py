"""Builds a preview within its limit: parts are added by priority and shown in reading order."""

from collections.abc import Iterable

SLOTS = ("headline", "shape", "samples", "left_out", "next")


class PreviewBudget:
    """The parts of a preview, which together never exceed its limit.

    Attributes:
        remaining: Characters available for another part, without its line break.
    """

    def __init__(self, limit: int) -> None:
        self.remaining = limit
        self._slots: dict[str, str] = {}

    def put(self, slot: str, text: str) -> bool:
        """Append a part to a slot on new lines; return ``False`` if it does not fit."""
        if not text or len(text) > self.remaining:
            return False
        self.remaining = max(self.remaining - len(text) - 1, 0)
        before = self._slots.get(slot)
        self._slots[slot] = text if before is None else f"{before}\n{text}"
        return True

    def has(self, slot: str) -> bool:
        """Whether a slot has a part."""
        return slot in self._slots

    def put_first(self, slot: str, texts: Iterable[str]) -> bool:
        """Add the first of several forms of a part that fits."""
        return any(self.put(slot, text) for text in texts)

    def text(self) -> str:
        """Return the preview."""
        return "\n".join([self._slots[slot] for slot in SLOTS if slot in self._slots])
