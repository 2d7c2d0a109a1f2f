"""Metrics for Prometheus, in a separate registry for each container."""

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from coatcheck.backends import BackendStatistics, BreakerBackend, ObjectStoreBackend, as_backend
from coatcheck.errors import MissingExtra, ObjectStoreUnavailable
from coatcheck.store.events import GET, MISSING, OK, PEEK, PUT

try:
    from prometheus_client import CollectorRegistry, Counter, Metric, ProcessCollector, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
except ImportError as error:
    raise MissingExtra("Metrics need the package prometheus-client: pip install 'coatcheck[metrics]'.") from error

logger = logging.getLogger(__name__)

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets in seconds."""


@dataclass(slots=True)
class _OperationTotals:
    count: int = 0
    size: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))


class StoreOperations:
    """Counts operations of the store.

    Each counter of the package would take a lock for each operation; here one lock covers all counts, and derived
    values are computed when the metrics are collected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], _OperationTotals] = {}

    def note(self, operation: str, outcome: str, seconds: float, size: int) -> None:
        """Count an operation; see ``coatcheck.store.events.Observer``."""
        bucket = bisect_left(SECONDS, seconds)
        with self._lock:
            tally = self._tallies.get((operation, outcome))
            if tally is None:
                tally = self._tallies[operation, outcome] = _OperationTotals()
            tally.count += 1
            tally.size += size
            tally.seconds += seconds
            tally.buckets[bucket] += 1

    def describe(self) -> list[Metric]:
        """Report no names before collection."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the current metrics."""
        with self._lock:
            found = {
                key: _OperationTotals(tally.count, tally.size, tally.seconds, list(tally.buckets))
                for key, tally in self._tallies.items()
            }
        operations = CounterMetricFamily(
            "coatcheck_store_operations", "Operations of the store.", labels=["operation", "outcome"]
        )
        for (operation, outcome), tally in found.items():
            operations.add_metric([operation, outcome], tally.count)
        yield operations
        yield _durations(found)
        reads = {
            outcome: [found.get((operation, outcome), _OperationTotals()) for operation in (GET, PEEK)]
            for outcome in (OK, MISSING)
        }
        yield _counter("store_hits", "Reads that found their object.", sum(each.count for each in reads[OK]))
        yield _counter("store_misses", "Reads that found nothing.", sum(each.count for each in reads[MISSING]))
        yield _counter("store_read_bytes", "Bytes read.", sum(each.size for each in reads[OK]))
        yield _counter("store_written_bytes", "Bytes stored.", found.get((PUT, OK), _OperationTotals()).size)


class BackendMetrics:
    """Metrics of a backend's contents and availability, as far as they are known without a scan."""

    def __init__(self, backend: Callable[[], ObjectStoreBackend]) -> None:
        self._backend = backend

    def describe(self) -> list[Metric]:
        """Report no names before collection."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the current metrics, except those that the backend does not know."""
        backend = self._backend()
        if isinstance(backend, BreakerBackend):
            text = "1 while calls of the store fail at once because it does not answer, else 0."
            yield GaugeMetricFamily("coatcheck_store_breaker_open", text, float(backend.breaker.is_open))
        try:
            found = as_backend(backend).statistics()
            gauges = [] if found is None else _backend_gauges(found)
        except ObjectStoreUnavailable:
            return
        except Exception:  # with any exception of a third-party backend, all other metrics are available
            logger.exception("%r could not report its statistics", backend)
            return
        yield from gauges


def _backend_gauges(found: BackendStatistics) -> list[Metric]:
    return [
        GaugeMetricFamily("coatcheck_store_objects", "Objects held.", float(found.objects)),
        GaugeMetricFamily("coatcheck_store_bytes", "Bytes held.", float(found.bytes)),
        _counter("store_evictions", "Objects dropped to stay within a bound.", float(found.evictions)),
        _counter("store_expirations", "Objects dropped because they had expired.", float(found.expirations)),
    ]


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"coatcheck_{name}", text, value)


def _durations(found: dict[tuple[str, str], _OperationTotals]) -> Metric:
    family = HistogramMetricFamily(
        "coatcheck_store_operation_seconds", "Time that operations of the store took.", labels=["operation"]
    )
    for operation in dict.fromkeys(operation for operation, _ in found):
        tallies = [tally for (kind, _), tally in found.items() if kind == operation]
        counts = accumulate(map(sum, zip(*(tally.buckets for tally in tallies), strict=True)))
        names = [*map(str, SECONDS), "+Inf"]
        family.add_metric([operation], list(zip(names, counts, strict=True)), sum(tally.seconds for tally in tallies))
    return family


CHARACTERS_PER_TOKEN = 4
"""Characters per token: an estimate that is good enough to compare tools and days."""

MOST_TOOLS = 200
LONGEST_NAME = 100
OTHER = "other"
"""The label of tools beyond these bounds, and of unlisted ones, whose names a caller may invent."""


class Metrics:
    """Counts events of the store, the sandbox and tool results; see ``coatcheck.store.events.Observer``.

    Args:
        backend: Returns the backend, whose own figures are read when the metrics are collected.

    Attributes:
        registry: The registry of the metrics, for your own exporter.
    """

    def __init__(self, backend: Callable[[], ObjectStoreBackend]) -> None:
        self.registry = CollectorRegistry()
        operations = StoreOperations()
        self.store_operation = operations.note
        self._results = self._counter("results", "Results that were replaced by a preview", "tool", "outcome")
        self._characters = self._counter("context_saved_characters", "Characters kept out of the context", "tool")
        self._tokens = self._counter("context_saved_tokens", "Tokens kept out of the context, estimated", "tool")
        self._stopped = self._counter("sandbox_stopped", "Work in the sandbox that broke a limit", "reason")
        self._tools: set[str] = set()
        self.registry.register(operations)
        self.registry.register(BackendMetrics(backend))
        ProcessCollector(registry=self.registry)

    def tool_result(self, tool: str | None, *, kept: bool, saved: int) -> None:
        """Count a result that was replaced by a preview."""
        label = self._label(tool)
        self._results.labels(label, "kept" if kept else "not_kept").inc()
        self._characters.labels(label).inc(saved)
        self._tokens.labels(label).inc(saved / CHARACTERS_PER_TOKEN)

    def sandbox_stopped(self, reason: str) -> None:
        """Count work in the sandbox that was stopped."""
        self._stopped.labels(reason).inc()

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"coatcheck_{name}", f"{text}.", labels, registry=self.registry)

    def _label(self, tool: str | None) -> str:
        if tool is None or len(tool) > LONGEST_NAME:
            return OTHER
        if tool not in self._tools:
            if len(self._tools) >= MOST_TOOLS:
                return OTHER
            self._tools.add(tool)
        return tool
