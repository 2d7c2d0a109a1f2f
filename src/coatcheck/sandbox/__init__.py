"""Worker processes for dangerous work: patterns, filters, documents and large objects from strangers."""

from coatcheck.sandbox.limits import Limits
from coatcheck.sandbox.service import Sandbox

__all__ = ["Limits", "Sandbox"]
