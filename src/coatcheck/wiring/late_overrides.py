"""Finds overrides of settings, tenancy or codec that come too late: after the creation of objects that use them."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from coatcheck.wiring.faults import Fault
from coatcheck.wiring.traversal import Provider, containers_in, current

_READ_ONCE = ("settings", "tenancy", "codec")
"""Parts that shared objects read on creation. The backend is not one: the store follows its provider."""

_in_use: WeakKeyDictionary[Any, dict[str, Provider]] = WeakKeyDictionary()


def note_use(container: Any) -> None:
    """Record the settings, tenancy and codec that the shared objects of a container were created with."""
    _in_use[container] = {name: current(container.providers[name]) for name in _READ_ONCE}


def note_change(container: Any) -> None:
    """Update the record after an override that replaces those objects too."""
    if container in _in_use:
        note_use(container)


def note_end(container: Any) -> None:
    """Delete the record: the shared objects will be created again."""
    _in_use.pop(container, None)


def late_overrides(container: Any) -> Iterator[Fault]:
    """Overrides of parts after the creation of objects that depend on them."""
    for prefix, found in containers_in(container):
        for name, used in _in_use.get(found, {}).items():
            if current(found.providers[name]) is not used:
                yield Fault(
                    "late-override",
                    f"{prefix}{name}",
                    "it was overridden after the creation of objects that use it, which keep the old one: use "
                    f"coatcheck.lifecycle.overridden(container, {name}=…), or override before first use.",
                )
