"""The lifetime of a container: validated before anything runs, opened, and closed in reverse order."""

from coatcheck.wiring.running import afind_store, find_store, forget, running, validate

__all__ = ["afind_store", "find_store", "forget", "running", "validate"]
