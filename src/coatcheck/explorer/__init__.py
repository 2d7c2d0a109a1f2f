"""Looking at stored objects: previews, ranges, searches, filters, references, each answer bounded."""

from coatcheck.explorer.core import Kept
from coatcheck.explorer.explorer import DEFAULT_PREVIEW_LIMIT, DEFAULT_RESPONSE_LIMIT, Explorer
from coatcheck.explorer.listing import ago
from coatcheck.explorer.reference_values import Allowance, Found

__all__ = ["DEFAULT_PREVIEW_LIMIT", "DEFAULT_RESPONSE_LIMIT", "Allowance", "Explorer", "Found", "Kept", "ago"]
