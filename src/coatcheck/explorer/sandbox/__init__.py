"""Worker processes for dangerous work: patterns, filters, documents and large objects from strangers."""

from coatcheck.explorer.sandbox.service import Sandbox
from coatcheck.explorer.sandbox.worker_limits import Limits

__all__ = ["Limits", "Sandbox"]
