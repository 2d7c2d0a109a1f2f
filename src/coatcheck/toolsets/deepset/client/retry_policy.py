"""The retry policy of requests to the platform."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED_ALWAYS = frozenset({429, 503})
"""Statuses of unprocessed requests: every request may be retried."""

RETRIED_IF_REPEATABLE = frozenset({502, 504})
"""Statuses of a gateway after which the request may have been processed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of attempts and the delays between them.

    Attributes:
        attempts: Maximum attempts, including the first; 1 disables retries.
        first_delay: Seconds before the second attempt; doubled for each further one.
        longest_delay: Maximum seconds of a delay. If ``Retry-After`` exceeds it, the call fails immediately and its
            error has the seconds to wait.
    """

    attempts: int = 4
    first_delay: float = 0.25
    longest_delay: float = 10.0

    def delay(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait after an attempt, counted from 1; ``None`` after the last one."""
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.longest_delay else None
        longest: float = min(self.first_delay * 2 ** (attempt - 1), self.longest_delay)
        # Half of the delay is random, so that clients that failed together do not retry together.
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - no secret


def may_repeat(status: int, *, repeatable: bool) -> bool:
    """Whether a request with this HTTP status may be sent again."""
    return status in RETRIED_ALWAYS or (repeatable and status in RETRIED_IF_REPEATABLE)


def retry_after_seconds(header: str | None) -> float | None:
    """Parse ``Retry-After``: seconds or an HTTP date; ``None`` if it is missing or malformed."""
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
