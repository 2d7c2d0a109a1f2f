"""The lifetime of a container: validated before anything runs, opened, and closed in reverse order."""

from coatcheck.wiring.faults import WiringWarning
from coatcheck.wiring.overriding import overridden
from coatcheck.wiring.ownership import forget
from coatcheck.wiring.running import afind_store, find_store, running
from coatcheck.wiring.validation import validate

__all__ = ["WiringWarning", "afind_store", "find_store", "forget", "overridden", "running", "validate"]
