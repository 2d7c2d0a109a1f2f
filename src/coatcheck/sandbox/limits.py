"""What a worker may use, known to both sides of the pipe."""

from dataclasses import asdict, dataclass
from typing import Any

MEBIBYTE = 1024 * 1024

HAND_OVER_SECONDS = 2.0
HAND_OVER_BYTES_PER_SECOND = 25 * MEBIBYTE
GRACE_SECONDS = 1.0
"""How long after its deadline a worker ends itself, should the parent not have done it."""

STARTUP_SECONDS = 20.0
"""A clean interpreter starts in about 0.1 s; a crowded machine may take far longer, and that is nobody's fault."""


READING_BYTES_PER_SECOND = 20 * MEBIBYTE
MOST_READING_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker.

    Attributes:
        timeout: Seconds for one operation, counted from when the worker begins it; see also ``reading_allowance``.
        memory_bytes: Address space of the worker process; 0 for no limit.
        cache_bytes: Estimated bytes of decoded objects that the worker keeps.
        output_bytes: Largest answer.
    """

    timeout: float
    memory_bytes: int
    cache_bytes: int
    output_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Give the limits as a JSON object."""
        return asdict(self)


def hand_over_allowance(size: int) -> float:
    """Seconds that sending ``size`` bytes through a pipe and decoding them may take at the most."""
    return HAND_OVER_SECONDS + size / HAND_OVER_BYTES_PER_SECOND


def reading_allowance(size: int) -> float:
    """Seconds that an operation gets on top of its timeout for going through ``size`` bytes of JSON once.

    jq read 26 MB a second on a slow machine, before its filter began; a small object earns nothing worth mentioning.
    """
    return min(size / READING_BYTES_PER_SECOND, MOST_READING_SECONDS)
