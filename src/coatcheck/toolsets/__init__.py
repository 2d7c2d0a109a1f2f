"""Toolsets: tools that are installed together, found by name or by where they are defined."""

from coatcheck.toolsets.loading import ENTRY_POINT_GROUP, installed_toolsets, load_toolset
from coatcheck.toolsets.toolset import Toolset

__all__ = ["ENTRY_POINT_GROUP", "Toolset", "installed_toolsets", "load_toolset"]
