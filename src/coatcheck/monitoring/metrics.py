"""What happened, as Prometheus counts it, in a registry of its own for each container."""

from collections.abc import Callable

from coatcheck.backends import ObjectStoreBackend
from coatcheck.errors import MissingExtra

try:
    from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
except ImportError as error:
    raise MissingExtra("Metrics need the package prometheus-client: pip install 'coatcheck[metrics]'.") from error

from coatcheck.monitoring.collectors import Holdings, StoreOperations

CHARACTERS_PER_TOKEN = 4
"""An estimate that fits English text and JSON well enough to compare tools and days."""

MOST_TOOLS = 200
LONGEST_NAME = 100
OTHER = "other"
"""The label of tools beyond these bounds, and of those that no server lists: names are cheap to think of."""


class Metrics:
    """Counts what a store and those around it tell; see ``coatcheck.observing.Observer``.

    Args:
        backend: Gives the backend, whose own figures are read when somebody asks for the metrics.

    Attributes:
        registry: Where the metrics are, for an exporter of one's own.
    """

    def __init__(self, backend: Callable[[], ObjectStoreBackend]) -> None:
        self.registry = CollectorRegistry()
        operations = StoreOperations()
        self.store_operation = operations.note
        self._results = self._counter("results", "Results that a preview stands for", "tool", "outcome")
        self._characters = self._counter("context_saved_characters", "Characters kept out of the context", "tool")
        self._tokens = self._counter("context_saved_tokens", "Tokens kept out of the context, estimated", "tool")
        self._stopped = self._counter("sandbox_stopped", "Work in the sandbox that broke a limit", "reason")
        self._tools: set[str] = set()
        self.registry.register(operations)
        self.registry.register(Holdings(backend))
        ProcessCollector(registry=self.registry)

    def tool_result(self, tool: str | None, *, kept: bool, saved: int) -> None:
        """Count a result that a preview stands for."""
        label = self._label(tool)
        self._results.labels(label, "kept" if kept else "not_kept").inc()
        self._characters.labels(label).inc(saved)
        self._tokens.labels(label).inc(saved / CHARACTERS_PER_TOKEN)

    def sandbox_stopped(self, reason: str) -> None:
        """Count work in the sandbox that was stopped."""
        self._stopped.labels(reason).inc()

    def exposition(self) -> bytes:
        """Give all metrics in Prometheus's text format."""
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
