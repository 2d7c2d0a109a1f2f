"""Looking at stored objects: previews, ranges, searches, filters, references, each answer bounded."""

from coatcheck.explorer.explorer import DEFAULT_PREVIEW_LIMIT, DEFAULT_RESPONSE_LIMIT, Explorer
from coatcheck.explorer.finding import Allowance, Found
from coatcheck.explorer.work import Kept, ago

__all__ = ["DEFAULT_PREVIEW_LIMIT", "DEFAULT_RESPONSE_LIMIT", "Allowance", "Explorer", "Found", "Kept", "ago"]
