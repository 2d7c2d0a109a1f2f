"""Validates a container's wiring before anything runs, without creating objects."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from coatcheck.errors import WiringError
from coatcheck.wiring import argument_checks, provider_checks, tool_checks
from coatcheck.wiring.faults import Fault, WiringWarning
from coatcheck.wiring.overriding import late_overrides

Check: TypeAlias = Callable[[Any], Iterator[Fault]]

_FIRST: tuple[Check, ...] = (provider_checks.missing_inputs, provider_checks.cycles)
"""Faults that stop the other checks: a missing input makes them pointless, a cycle endless."""

_THEN: tuple[Check, ...] = (
    argument_checks.arguments,
    argument_checks.captive_dependencies,
    argument_checks.attributes,
    provider_checks.asynchronous,
    provider_checks.replaced_parts,
    provider_checks.branches,
    tool_checks.tools,
)

_SPOILS_ATTRIBUTES = {"wrong-type", "class-not-instance"}
"""Faults after which missing attributes are not reported, because they follow from them."""


def validate(container: Any) -> None:
    """Check a container's wiring without creating objects.

    Every fault has a name and a section in ``docs/errors.md``, which also lists what cannot be checked without
    creating objects. An override that cannot take effect is a warning.

    Args:
        container: A `coatcheck.containers.Container`, or a host's container that contains one.

    Raises:
        WiringError: Lists every fault with the provider's path and how to correct it.
        TypeError: It is not a container.
    """
    if not hasattr(container, "providers"):
        raise TypeError(f"validate() takes a container, not {type(container).__name__}.")
    faults = [fault for check in _FIRST for fault in check(container)]
    if not faults:
        faults = [fault for check in _THEN for fault in check(container)]
        if any(fault.name in _SPOILS_ATTRIBUTES for fault in faults):
            faults = [fault for fault in faults if fault.name != "unknown-attribute"]
    if faults:
        lines = "\n".join(f"- {fault}" for fault in faults)
        raise WiringError(f"The container cannot work as it is wired (see docs/errors.md):\n{lines}")
    for fault in late_overrides(container):
        warnings.warn(str(fault), WiringWarning, stacklevel=2)
