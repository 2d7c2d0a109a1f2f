"""Tests for third-party backends: `BackendContract` contains the requirements of every backend.

The name is loaded at first use, because it needs pytest and importing this package does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatcheck.testing.backend_contract import BackendContract

__all__ = ["BackendContract"]

_CONTRACT = "coatcheck.testing.backend_contract"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _rewrite_asserts(_CONTRACT)
    return getattr(import_module(_CONTRACT), name)


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
