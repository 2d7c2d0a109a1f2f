"""Endpoints for operators: liveness, readiness and metrics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coatcheck.monitoring.health import Health

if TYPE_CHECKING:
    from coatcheck.monitoring.http_routes import add_monitoring as add_monitoring
    from coatcheck.monitoring.http_routes import monitoring_routes as monitoring_routes

__all__ = ["Health", "add_monitoring", "monitoring_routes"]


def __getattr__(name: str) -> Any:
    # The routes need the SDK, which a container without a server does not import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("coatcheck.monitoring.http_routes"), name)
