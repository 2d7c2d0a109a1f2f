"""Keep large MCP tool results out of the model's context: bounded previews, and references in place of values.

The names in ``__all__`` are the public interface, together with the public modules that ``docs/api.md`` lists. Each
name is loaded at first use, so ``import coatcheck`` stays cheap. All other modules are private and may change.
"""

import sys

TYPE_CHECKING = False  # That of ``typing``, which is slow to load.
if TYPE_CHECKING:
    from typing import Any

    from coatcheck.backends import InMemoryBackend as InMemoryBackend
    from coatcheck.backends import ObjectStoreBackend as ObjectStoreBackend
    from coatcheck.backends import RedisBackend as RedisBackend
    from coatcheck.backends import SQLiteBackend as SQLiteBackend
    from coatcheck.containers import Container as Container
    from coatcheck.decorators import explorable as explorable
    from coatcheck.decorators import explorable_and_referenceable as explorable_and_referenceable
    from coatcheck.decorators import referenceable as referenceable
    from coatcheck.errors import ArgumentRejected as ArgumentRejected
    from coatcheck.errors import CoatcheckError as CoatcheckError
    from coatcheck.errors import FilterError as FilterError
    from coatcheck.errors import ListingUnsupported as ListingUnsupported
    from coatcheck.errors import MissingExtra as MissingExtra
    from coatcheck.errors import ObjectNotFound as ObjectNotFound
    from coatcheck.errors import ObjectStoreUnavailable as ObjectStoreUnavailable
    from coatcheck.errors import ObjectTooLarge as ObjectTooLarge
    from coatcheck.errors import ObjectUnreadable as ObjectUnreadable
    from coatcheck.errors import PathNotFound as PathNotFound
    from coatcheck.errors import PatternError as PatternError
    from coatcheck.errors import ReferenceSyntaxError as ReferenceSyntaxError
    from coatcheck.errors import SandboxError as SandboxError
    from coatcheck.errors import SettingsError as SettingsError
    from coatcheck.errors import UpstreamError as UpstreamError
    from coatcheck.errors import WiringError as WiringError
    from coatcheck.explorer import Explorer as Explorer
    from coatcheck.lifecycle import overridden as overridden
    from coatcheck.lifecycle import running as running
    from coatcheck.object_store import ObjectStore as ObjectStore
    from coatcheck.server import attach as attach
    from coatcheck.server import configure_mcp_server as configure_mcp_server
    from coatcheck.settings import Settings as Settings
    from coatcheck.tool_factory import MemoryType as MemoryType
    from coatcheck.tool_factory import ToolConfig as ToolConfig
    from coatcheck.tool_factory import inject as inject
    from coatcheck.tool_factory import register_tools as register_tools

if sys.platform == "win32":
    raise ImportError(
        "coatcheck runs on Linux and macOS: its worker processes and its pipes to wrapped servers need POSIX. "
        "On Windows, install it inside WSL."
    )

__version__ = "0.1.0"

__all__ = [
    "ArgumentRejected",
    "CoatcheckError",
    "Container",
    "Explorer",
    "FilterError",
    "InMemoryBackend",
    "ListingUnsupported",
    "MemoryType",
    "MissingExtra",
    "ObjectNotFound",
    "ObjectStore",
    "ObjectStoreBackend",
    "ObjectStoreUnavailable",
    "ObjectTooLarge",
    "ObjectUnreadable",
    "PathNotFound",
    "PatternError",
    "RedisBackend",
    "ReferenceSyntaxError",
    "SQLiteBackend",
    "SandboxError",
    "Settings",
    "SettingsError",
    "ToolConfig",
    "UpstreamError",
    "WiringError",
    "__version__",
    "attach",
    "configure_mcp_server",
    "explorable",
    "explorable_and_referenceable",
    "inject",
    "overridden",
    "referenceable",
    "register_tools",
    "running",
]

_MODULES = {
    "ArgumentRejected": "errors",
    "CoatcheckError": "errors",
    "Container": "containers",
    "Explorer": "explorer",
    "FilterError": "errors",
    "InMemoryBackend": "backends",
    "ListingUnsupported": "errors",
    "MemoryType": "tool_factory",
    "MissingExtra": "errors",
    "ObjectNotFound": "errors",
    "ObjectStore": "object_store",
    "ObjectStoreBackend": "backends",
    "ObjectStoreUnavailable": "errors",
    "ObjectTooLarge": "errors",
    "ObjectUnreadable": "errors",
    "PathNotFound": "errors",
    "PatternError": "errors",
    "RedisBackend": "backends",
    "ReferenceSyntaxError": "errors",
    "SQLiteBackend": "backends",
    "SandboxError": "errors",
    "Settings": "settings",
    "SettingsError": "errors",
    "ToolConfig": "tool_factory",
    "UpstreamError": "errors",
    "WiringError": "errors",
    "attach": "server",
    "configure_mcp_server": "server",
    "explorable": "decorators",
    "explorable_and_referenceable": "decorators",
    "inject": "tool_factory",
    "overridden": "lifecycle",
    "referenceable": "decorators",
    "register_tools": "tool_factory",
    "running": "lifecycle",
}
"""Name → the public module that defines it."""


def __getattr__(name: str) -> "Any":
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # slow to load

    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
