"""The limits of a worker, known to both sides of the pipe."""

from dataclasses import asdict, dataclass
from typing import Any

MEBIBYTE = 1024 * 1024

HAND_OVER_SECONDS = 0.5
"""Seconds in addition to the timeout for transferring and decoding an object, processing a large one and returning the
answer: with the default timeout, every answer arrives within three seconds."""

GRACE_SECONDS = 1.0
"""Seconds after its deadline at which a worker ends itself, in case the parent has not killed it."""

READING_BYTES_PER_SECOND = 20 * MEBIBYTE

STARTUP_SECONDS = 20.0
"""Seconds for the start of a worker; a clean interpreter takes about 0.1 s, a busy machine far longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker."""

    timeout: float  # seconds for one operation, counted from its start in the worker; more for a large object
    memory_bytes: int  # address space of the worker process; 0 for no limit
    cache_bytes: int  # estimated bytes of decoded objects that the worker caches
    output_bytes: int  # maximum bytes of an answer

    @property
    def total(self) -> float:
        """Seconds from the request to the complete answer."""
        return self.timeout + HAND_OVER_SECONDS

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as a JSON object."""
        return asdict(self)


def operation_seconds(limits: Limits, size: int, spent: float) -> float:
    """Seconds for an operation on ``size`` bytes of JSON, ``spent`` seconds after the request.

    Every operation has to traverse its object once; for a small one this adds almost nothing.
    """
    return max(min(limits.timeout + size / READING_BYTES_PER_SECOND, limits.total - spent), 0.05)
