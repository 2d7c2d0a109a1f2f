"""Limits up to which results pass unchanged: for each tool, and for concurrent calls together."""

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


def _matches_any(tool: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in patterns)
