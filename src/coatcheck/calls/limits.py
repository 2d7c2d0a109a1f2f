"""Limits up to which results pass unchanged: for each tool, and for concurrent calls together."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fnmatch import fnmatchcase

CHARACTERS_PER_TOKEN = 4
"""Characters per token for limits in tokens."""

DENSE_CHARACTERS_PER_TOKEN = 8 / 3
"""Characters for which a token of dense text counts: tables of numbers, hex, base64 and Chinese have half as many
characters in a token as JSON, of which 8,000 have some 3,000 tokens."""

NEVER_DENSE = 4
"""A result with at most one part in so many of its limit passes without an estimate of its tokens."""

ROUND_FACTOR = 4
"""The default limit of concurrent calls, in limits of a single result."""

ALWAYS_FREE = 1_000
"""Characters up to which a result passes although the budget of concurrent calls is spent."""

WINDOW = 0.5
"""Seconds after a result within which a call still counts as concurrent; a model takes longer for its next turn."""

MOST_BUDGETS = 1_000
"""Budgets that are kept at once; beyond that, the least recently active caller gets a new one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits by tool name. Patterns are those of a shell: ``*_log``, ``git_*``; case matters."""

    default: int = 8_000  # characters up to which a result passes unchanged if no pattern matches
    by_tool: tuple[tuple[str, int], ...] = ()  # patterns with their limits in characters; the first match applies
    never: tuple[str, ...] = ()  # patterns of tools whose results always pass unchanged; they override all others
    always: tuple[str, ...] = ()  # patterns of tools whose results are kept even when they are small
    # Characters that the results of concurrent calls may have together; 0: no such limit.
    for_concurrent_calls: int = 0
    adapts_to_host: bool = False  # whether the host's own limit replaces `default`
    # Minimum number of characters for which each token of a result counts.
    characters_per_token: float = DENSE_CHARACTERS_PER_TOKEN

    def of(self, tool: str) -> int | None:
        """Characters up to which a tool's result passes unchanged; ``None`` for no limit."""
        if _matches_any(tool, self.never):
            return None
        own = self.tool_limit(tool)
        return self.default if own is None else own

    def tool_limit(self, tool: str) -> int | None:
        """The limit of the first pattern that matches the tool, or ``None``."""
        return next((limit for pattern, limit in self.by_tool if fnmatchcase(tool, pattern)), None)

    def always_keeps(self, tool: str) -> bool:
        """Whether a tool's results are kept even when they are small."""
        return bool(self.always) and _matches_any(tool, self.always) and not _matches_any(tool, self.never)


class CallBudget:
    """The budget of concurrent calls: those that overlap, and those that follow within the window.

    ``window`` are the seconds after the last result within which the budget still applies.

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


def reduced_limit(limit: int, available: int | None) -> int:
    """Return the limit of a result if concurrent calls leave so many characters; ``None``: any number."""
    return limit if available is None else min(limit, max(available, ALWAYS_FREE))


class CallBudgets:
    """The budgets of many callers, for transports without sessions."""

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


def _matches_any(tool: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in patterns)
