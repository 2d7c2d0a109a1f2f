"""What those who run a server ask it: is it alive, does it serve, what has it done."""

from coatcheck.monitoring.health import Health

__all__ = ["Health"]
