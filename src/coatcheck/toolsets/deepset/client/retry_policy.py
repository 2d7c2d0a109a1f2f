"""When a request to the platform is repeated, and after how long."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED_ALWAYS = frozenset({429, 503})
"""Answers that say that nothing was done: every request may be repeated."""

RETRIED_IF_REPEATABLE = frozenset({502, 504})
"""Answers of a gateway behind which the request may have been carried out."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is tried, and how long the pauses are.

    Attributes:
        attempts: Most attempts, the first one included; 1 switches retries off.
        first_delay: Seconds before the second attempt; each later pause is twice as long.
        longest_delay: Seconds that no pause exceeds. Where ``Retry-After`` asks for more, the call fails at once and
            its error says how long to wait.
    """

    attempts: int = 4
    first_delay: float = 0.25
    longest_delay: float = 10.0

    def delay(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait after an attempt, counted from 1; ``None`` if there is to be no other one."""
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.longest_delay else None
        longest: float = min(self.first_delay * 2 ** (attempt - 1), self.longest_delay)
        # Half of the pause is random, so that clients that failed together do not come back together.
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def may_repeat(status: int, *, repeatable: bool) -> bool:
    """Whether a request with this answer may be sent again.

    Args:
        status: The HTTP status.
        repeatable: Whether carrying it out twice does no harm.
    """
    return status in RETRIED_ALWAYS or (repeatable and status in RETRIED_IF_REPEATABLE)


def retry_after_seconds(header: str | None) -> float | None:
    """Read ``Retry-After``: seconds or an HTTP date; ``None`` if there is none or it cannot be read."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
