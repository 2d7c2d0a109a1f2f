"""What a worker may use, known to both sides of the pipe."""

from dataclasses import asdict, dataclass
from typing import Any

MEBIBYTE = 1024 * 1024

HAND_OVER_SECONDS = 0.5
"""What handing an object over, decoding it, going through a large one and giving the answer back may add to the
timeout, all together: with the default timeout, every answer is there within three seconds."""

GRACE_SECONDS = 1.0
"""How long after its deadline a worker ends itself, should the parent not have done it."""

READING_BYTES_PER_SECOND = 20 * MEBIBYTE

STARTUP_SECONDS = 20.0
"""A clean interpreter starts in about 0.1 s; a crowded machine may take far longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker.

    Attributes:
        timeout: Seconds for one operation, counted from when the worker begins it; a large object earns it some more.
        memory_bytes: Address space of the worker process; 0 for no limit.
        cache_bytes: Estimated bytes of decoded objects that the worker keeps.
        output_bytes: Largest answer.
    """

    timeout: float
    memory_bytes: int
    cache_bytes: int
    output_bytes: int

    @property
    def total(self) -> float:
        """Seconds from the request to the whole of the answer."""
        return self.timeout + HAND_OVER_SECONDS

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as a JSON object."""
        return asdict(self)


def operation_seconds(limits: Limits, size: int, spent: float) -> float:
    """Seconds for an operation on ``size`` bytes of JSON when ``spent`` are gone since the request.

    An object has to be gone through once, whatever is asked; a small one earns nothing worth mentioning by that.
    """
    return max(min(limits.timeout + size / READING_BYTES_PER_SECOND, limits.total - spent), 0.05)
