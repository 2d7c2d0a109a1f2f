"""The results of calls that a model makes at once: they share a budget."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from coatcheck.codec.characters import content_characters, weigh

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

ROUND_WINDOW = 0.5
"""Seconds after an answer in which a call still belongs to its round: a model needs longer to think."""

MOST_ROUNDS = 1_000
"""Rounds that are remembered at once; of more callers the one that was quiet longest starts with a new budget."""


class Round:
    """The calls that a model makes at once: those that overlap, and those that follow within the window.

    Args:
        window: Seconds after the last answer in which the round still lasts.
        clock: Gives seconds.
    """

    def __init__(self, window: float = ROUND_WINDOW, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._open = 0
        self._last_answer = float("-inf")
        self.spent = 0

    @property
    def is_over(self) -> bool:
        """Whether a call would begin a new round."""
        return not self._open and self._clock() - self._last_answer > self._window

    def asked(self) -> None:
        """Count a call; it begins a new round where none is under way."""
        if self.is_over:
            self.spent = 0
        self._open += 1

    def answered(self) -> None:
        """Count an answer, or a call that nobody waits for any more."""
        self._open = max(self._open - 1, 0)
        self._last_answer = self._clock()

    def room(self, limit: int) -> int | None:
        """Characters that are left of a round's limit; ``None`` where there is no limit."""
        return max(limit - self.spent, 0) if limit else None

    async def shorten(
        self,
        interceptor: "Interceptor",
        tool: str,
        result: dict[str, Any],
        *,
        has_output_schema: bool | None = None,
        listed: bool | None = None,
    ) -> dict[str, Any]:
        """Keep a result that is too large for itself or for what is left of the round; see ``Interceptor.result``."""
        limit = interceptor.limits.per_round
        known = {"has_output_schema": has_output_schema, "listed": listed}
        if not limit or interceptor.limits.of(tool) is None:
            return await interceptor.result(tool, result, **known)
        room = self.room(limit)
        # Counted before anything is waited for, so that results that come at once see one another.
        expected = min(size_of(result, limit), interceptor.preview_limit)
        self.spent += expected
        changed = await interceptor.result(tool, result, room=room, **known)
        self.spent += size_of(changed, limit) - expected
        return changed


class Rounds:
    """The rounds of many callers, where no session keeps them apart.

    Args:
        most: Rounds that are remembered at once.
    """

    def __init__(self, most: int = MOST_ROUNDS) -> None:
        self._most = most
        self._rounds: OrderedDict[Hashable, Round] = OrderedDict()

    def of(self, caller: Hashable) -> Round:
        """Give the round of a caller; ``None`` is a caller of whom nothing is known: each call is then a round."""
        if caller is None:
            return Round()
        found = self._rounds.setdefault(caller, Round())
        self._rounds.move_to_end(caller)
        if len(self._rounds) > self._most:
            self._rounds.popitem(last=False)
        return found


def size_of(result: dict[str, Any], limit: int) -> int:
    """Characters of a result as a model would see it, counted up to a limit."""
    content, structured = result.get("content"), result.get("structuredContent")
    shown = content_characters(content, limit) if isinstance(content, list) else 0
    return max(shown, 0 if structured is None else weigh(structured, limit))
