"""Worker processes for untrusted work: patterns, filters, documents and large objects."""

from coatcheck.explorer.sandbox.service import Sandbox
from coatcheck.explorer.sandbox.worker_limits import Limits

__all__ = ["Limits", "Sandbox"]
