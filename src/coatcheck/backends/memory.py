"""The backend that stores objects in this process."""

import itertools
import math
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from coatcheck.backends.base import Backend, BackendStatistics
from coatcheck.errors import ObjectTooLarge, require_numbers


class Deadlines:
    """A binary heap with the position of each key, so that a key can be removed from the middle in O(log n).

    ``heapq`` cannot do this. Keeping removed keys until they reach the top needs memory that grows with overwrites, or
    pauses of a tenth of a second to remove a hundred thousand of them.
    """

    def __init__(self) -> None:
        self._due: list[float] = []
        self._keys: list[str] = []
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def earliest(self) -> tuple[float, str] | None:
        """The earliest deadline and its key; ``None`` if the heap is empty."""
        return (self._due[0], self._keys[0]) if self._keys else None

    def add(self, key: str, due: float) -> None:
        """Add ``key``, which must not be present."""
        self._due.append(due)
        self._keys.append(key)
        self._sift_up(len(self._keys) - 1, due, key)

    def discard(self, key: str) -> None:
        """Remove ``key`` if it is present."""
        position = self._positions.pop(key, None)
        if position is None:
            return
        due, last = self._due.pop(), self._keys.pop()
        if position < len(self._keys):  # the last one fills the gap
            risen = self._sift_up(position, due, last)
            if risen == position:
                self._sift_down(position, due, last)

    def _sift_up(self, position: int, due: float, key: str) -> int:
        """Move ``key`` from ``position`` up past later ones; return its position."""
        while position:
            above = (position - 1) >> 1
            if self._due[above] <= due:
                break
            self._write_slot(position, self._due[above], self._keys[above])
            position = above
        self._write_slot(position, due, key)
        return position

    def _sift_down(self, position: int, due: float, key: str) -> None:
        """Move ``key`` from ``position`` down past earlier ones."""
        size = len(self._keys)
        while (below := 2 * position + 1) < size:
            if below + 1 < size and self._due[below + 1] < self._due[below]:
                below += 1
            if self._due[below] >= due:
                break
            self._write_slot(position, self._due[below], self._keys[below])
            position = below
        self._write_slot(position, due, key)

    def _write_slot(self, position: int, due: float, key: str) -> None:
        self._due[position] = due
        self._keys[position] = key
        self._positions[key] = position


# One operation frees at most this many expired entries, a few milliseconds of work, so that a mass expiry does not
# block the event loop; the next operations free the rest.
SWEEP_BATCH = 1_000


@dataclass(slots=True)
class _Entry:
    value: bytes
    namespace: str
    expires_at: float | None
    used_at: float


@dataclass(slots=True)
class _Namespace:
    size: int = 0
    order: OrderedDict[str, None] = field(default_factory=OrderedDict)  # least recently used first


class InMemoryBackend(Backend):
    """Stores objects in memory, with monotonic expiry, bounds and LRU eviction.

    ``set``, ``get`` and ``touch`` count as use; ``head`` and ``scan`` do not, so that listing does not keep objects
    alive. Objects that have expired, or were unused for ``max_idle``, are freed by the next operation on any key (at
    most `SWEEP_BATCH` by one operation), and always before a live object is evicted for a bound. Thread-safe;
    every operation but ``scan`` takes O(log n) or less. The namespace of a key is the part before its last ``:``.

    Args:
        max_objects: Maximum objects in total; 0 means no bound, as for the other four.
        max_bytes: Maximum bytes in total, counting values only.
        max_namespace_objects: Maximum objects in one namespace.
        max_namespace_bytes: Maximum bytes in one namespace.
        max_idle: Seconds after which an unused object expires.
        clock: Returns monotonic seconds.

    Raises:
        TypeError: A bound is not a number.
        ValueError: A bound is negative or not finite.
    """

    blocking = False

    def __init__(
        self,
        *,
        max_objects: int = 0,
        max_bytes: int = 0,
        max_namespace_objects: int = 0,
        max_namespace_bytes: int = 0,
        max_idle: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_numbers(
            "InMemoryBackend",
            max_objects=max_objects,
            max_bytes=max_bytes,
            max_namespace_objects=max_namespace_objects,
            max_namespace_bytes=max_namespace_bytes,
        )
        require_numbers("InMemoryBackend", whole=False, max_idle=max_idle)
        self._max_objects = max_objects or math.inf
        self._max_bytes = max_bytes or math.inf
        self._max_namespace_objects = max_namespace_objects or math.inf
        self._max_namespace_bytes = max_namespace_bytes or math.inf
        self._max_idle = max_idle or math.inf
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._namespaces: defaultdict[str, _Namespace] = defaultdict(_Namespace)
        self._deadlines = Deadlines()
        self._size = 0
        self._evictions = 0
        self._expirations = 0
        self._ids = itertools.count(1)

    def generate_id(self) -> str:
        """``obj_001``, ``obj_002`` and so on."""
        with self._lock:
            return f"obj_{next(self._ids):03d}"

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Store ``value``; raises `ObjectTooLarge` without a change if it can never fit."""
        value = value if type(value) is bytes else bytes(memoryview(value))
        most = min(self._max_bytes, self._max_namespace_bytes)
        if len(value) > most:
            raise ObjectTooLarge(len(value), int(most))
        with self._lock:
            now = self._clock()
            self._sweep(now)
            if key in self._entries:
                self._remove(key)
            expires_at = None if ttl_seconds is None else now + ttl_seconds
            if expires_at is not None and not expires_at > now:
                return
            self._make_room(self._add(key, value, expires_at, now), now)

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, now the most recently used, or ``None``."""
        with self._lock:
            entry = self._live(key, use=True)
            return None if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Delete ``key``; return whether a live object existed."""
        with self._lock:
            if self._live(key) is None:
                return False
            self._remove(key)
            return True

    def head(self, key: str, n: int) -> bytes | None:
        """A copy of the first ``n`` bytes, or ``None``; does not count as use."""
        with self._lock:
            entry = self._live(key)
            return None if entry is None else entry.value[: max(n, 0)]

    def touch(self, key: str) -> None:
        """Make the value under ``key`` the most recently used."""
        with self._lock:
            self._live(key, use=True)

    def scan(self, prefix: str) -> Iterator[str]:
        """The live keys that start with ``prefix`` at the time of this call."""
        with self._lock:
            now = self._clock()
            self._sweep(now)
            found = [
                key
                for name, namespace in self._namespaces.items()
                if _may_hold(name, prefix)
                for key in namespace.order
                if key.startswith(prefix) and not self._is_over(self._entries[key], now)
            ]
        return iter(found)

    def statistics(self) -> BackendStatistics:
        """The current statistics."""
        with self._lock:
            self._sweep(self._clock())
            return BackendStatistics(len(self._entries), self._size, self._evictions, self._expirations)

    # The following methods are called with the lock held.

    def _live(self, key: str, *, use: bool = False) -> _Entry | None:
        now = self._clock()
        self._sweep(now)
        entry = self._entries.get(key)
        if entry is None or self._is_over(entry, now):
            return None
        if use:
            entry.used_at = now
            self._entries.move_to_end(key)
            self._namespaces[entry.namespace].order.move_to_end(key)
        return entry

    def _is_over(self, entry: _Entry, now: float) -> bool:
        expired = entry.expires_at is not None and entry.expires_at <= now
        return expired or now - entry.used_at >= self._max_idle

    def _add(self, key: str, value: bytes, expires_at: float | None, now: float) -> _Namespace:
        name = key.rpartition(":")[0]
        self._entries[key] = _Entry(value, name, expires_at, now)
        namespace = self._namespaces[name]
        namespace.order[key] = None
        namespace.size += len(value)
        self._size += len(value)
        if expires_at is not None:
            self._deadlines.add(key, expires_at)
        return namespace

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key)
        namespace = self._namespaces[entry.namespace]
        del namespace.order[key]
        namespace.size -= len(entry.value)
        if not namespace.order:
            del self._namespaces[entry.namespace]
        self._size -= len(entry.value)
        self._deadlines.discard(key)

    def _sweep(self, now: float) -> None:
        left = SWEEP_BATCH
        while left and self._expire_next(now):
            left -= 1

    def _expire_next(self, now: float) -> bool:
        """Remove the next expired entry, by deadline or idle time; return whether there was one."""
        earliest = self._deadlines.earliest()
        if earliest is not None and earliest[0] <= now:
            over = earliest[1]
        else:
            unused = None if self._max_idle == math.inf else next(iter(self._entries), None)
            if unused is None or now - self._entries[unused].used_at < self._max_idle:
                return False
            over = unused
        self._remove(over)
        self._expirations += 1
        return True

    def _make_room(self, namespace: _Namespace, now: float) -> None:
        """Drop expired entries, then the least recently used, until all bounds are met; the newest entry stays."""
        while True:
            crowded = len(namespace.order) > self._max_namespace_objects or namespace.size > self._max_namespace_bytes
            if not crowded and len(self._entries) <= self._max_objects and self._size <= self._max_bytes:
                return
            if not self._expire_next(now):
                self._remove(next(iter(namespace.order if crowded else self._entries)))
                self._evictions += 1


def _may_hold(name: str, prefix: str) -> bool:
    """Whether keys of the namespace ``name`` can start with ``prefix``, so that others are skipped."""
    start = f"{name}:" if name else ""
    return start.startswith(prefix) or prefix.startswith(start)
