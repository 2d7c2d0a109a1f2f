"""Memory of processes and their descendants, from ``/proc``."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
MEBIBYTE = 1 << 20


@dataclass(slots=True)
class Memory:
    """Resident bytes over time, of some processes and their descendants.

    Attributes:
        samples: Seconds since the start of a run, and the bytes at that time.
    """

    pids: list[int]
    samples: list[tuple[float, int]] = field(default_factory=list)

    def sample(self, seconds: float) -> None:
        """Add a sample."""
        self.samples.append((seconds, sum(resident(pid) for root in self.pids for pid in (root, *descendants(root)))))

    def between(self, first: float, last: float) -> float:
        """Return the mean of the samples in a period."""
        found = [size for seconds, size in self.samples if first <= seconds <= last]
        return sum(found) / len(found)

    @property
    def peak(self) -> int:
        """The largest sample."""
        return max(size for _, size in self.samples)


def resident(pid: int) -> int:
    """Return the resident bytes of a process; 0 for one that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def descendants(pid: int) -> Iterable[int]:
    """Return the process ids of all descendants."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield child
        yield from descendants(child)
