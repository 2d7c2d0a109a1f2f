"""The budget, in characters, that the results of concurrent calls share."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

WINDOW = 0.5
"""Seconds after a result within which a call still counts as concurrent; a model takes longer for its next turn."""

MOST_BUDGETS = 1_000
"""Budgets that are kept at once; beyond that, the least recently active caller gets a new one."""


class CallBudget:
    """The budget of concurrent calls: those that overlap, and those that follow within the window.

    Args:
        window: Seconds after the last result within which the budget still applies.
        clock: Returns the time in seconds.

    Attributes:
        spent: Characters of the results so far.
    """

    def __init__(self, window: float = WINDOW, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._open = 0
        self._last_result = float("-inf")
        self.spent = 0

    @property
    def is_over(self) -> bool:
        """Whether a call would start with a full budget."""
        return not self._open and self._clock() - self._last_result > self._window

    def call_started(self) -> None:
        """Count a call; the budget is reset if no other call is concurrent."""
        if self.is_over:
            self.spent = 0
        self._open += 1

    def call_ended(self) -> None:
        """Count a result, or a call that was cancelled."""
        self._open = max(self._open - 1, 0)
        self._last_result = self._clock()

    def remaining(self, limit: int) -> int | None:
        """Characters that are left of a limit; ``None`` if there is no limit (0)."""
        return max(limit - self.spent, 0) if limit else None


class CallBudgets:
    """The budgets of many callers, for transports without sessions.

    Args:
        most: Budgets that are kept at once.
    """

    def __init__(self, most: int = MOST_BUDGETS) -> None:
        self._most = most
        self._budgets: OrderedDict[Hashable, CallBudget] = OrderedDict()

    def of(self, caller: Hashable) -> CallBudget:
        """Return a caller's budget; each call of an unknown caller (``None``) has its own."""
        if caller is None:
            return CallBudget()
        found = self._budgets.setdefault(caller, CallBudget())
        self._budgets.move_to_end(caller)
        if len(self._budgets) > self._most:
            self._budgets.popitem(last=False)
        return found
