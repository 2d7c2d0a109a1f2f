"""A simulated deepset platform: an ASGI application with state, for tests and demos; it answers as the API does."""

from coatcheck.toolsets.deepset.simulator.fault_rules import FaultRule
from coatcheck.toolsets.deepset.simulator.simulated_platform import RecordedRequest, SimulatedPlatform

__all__ = ["FaultRule", "RecordedRequest", "SimulatedPlatform"]
