"""How long jq will take to read a JSON text, known before it begins: reading is most of its time on a large object."""

import time
from collections.abc import Callable

SECONDS_PER_BYTE = 25e-9
SECONDS_PER_MEMBER = 0.25e-6
SECONDS_PER_CONTAINER = 0.9e-6
"""What jq 1.8 took on the machine these were measured on, for texts of 24 MB: one string 0.67 s, 300 000 objects with
four members each 1.3 s, 3.5 million integers 1.8 s, 8 million empty objects 7.2 s."""

SMALL_TEXT = 0.63
"""A text that fits into the processor's cache takes so much of the time that was measured on large ones."""

MARGIN = 1.4
"""A text is refused only where the estimate is so many times over the time."""

_SAMPLE = "[" + ",".join('{"id": 12345, "name": "user", "active": true}' for _ in range(400)) + "]"
_ROUNDS = 3


def seconds_to_read(source: str) -> float:
    """Estimate the seconds for reading a text; it costs some 2 ms for each megabyte."""
    containers = source.count("{") + source.count("[")
    members = source.count(",")
    return len(source) * SECONDS_PER_BYTE + members * SECONDS_PER_MEMBER + containers * SECONDS_PER_CONTAINER


def measured_pace(read: Callable[[str], object]) -> float:
    """Say how many times longer than estimated reading takes on this machine; the best of a few tries."""
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        read(_SAMPLE)
        took.append(time.perf_counter() - started)
    return min(took) / (seconds_to_read(_SAMPLE) * SMALL_TEXT)
