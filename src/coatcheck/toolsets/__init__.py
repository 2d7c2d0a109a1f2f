"""Toolsets: tools that are installed together, found by name or by ``module:attribute``."""

from coatcheck.tools.toolset import (
    ENTRY_POINT_GROUP,
    Installation,
    Toolset,
    installed_toolsets,
    load_toolset,
    with_variable,
)

__all__ = ["ENTRY_POINT_GROUP", "Installation", "Toolset", "installed_toolsets", "load_toolset", "with_variable"]
