"""Checking how a container is wired before anything runs, without making anything."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from coatcheck.errors import WiringError
from coatcheck.wiring import argument_checks, provider_checks, tool_checks
from coatcheck.wiring.faults import Fault, WiringWarning
from coatcheck.wiring.late_overrides import late_overrides

Check: TypeAlias = Callable[[Any], Iterator[Fault]]

_FIRST: tuple[Check, ...] = (provider_checks.missing_inputs, provider_checks.cycles)
"""A missing input makes the other checks pointless, a cycle would make them endless."""

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
"""Faults after which it says nothing new that the object has not the attributes of what it should be."""


def validate(container: Any) -> None:
    """Check how a container is wired without making anything.

    Every fault has a name and a section in ``docs/errors.md``, which also says what cannot be seen without making the
    objects. An override that cannot take effect is a warning.

    Args:
        container: A `coatcheck.containers.Container`, or a host's container that has one in it.

    Raises:
        WiringError: With every fault that was found, each with the provider's path, and what to do about it.
        TypeError: It is no container.
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
