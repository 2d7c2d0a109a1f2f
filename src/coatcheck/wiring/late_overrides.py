"""Overrides that come too late: of settings, tenancy or codec, after the objects that were made from them."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from coatcheck.wiring.faults import Fault
from coatcheck.wiring.traversal import Provider, containers_in, current

_READ_ONCE = ("settings", "tenancy", "codec")
"""Parts that shared objects read when they are made. The backend is not one: the store follows its provider."""

_in_use: WeakKeyDictionary[Any, dict[str, Provider]] = WeakKeyDictionary()


def note_use(container: Any) -> None:
    """Note which settings, tenancy and codec the shared objects of a container are made from."""
    _in_use[container] = {name: current(container.providers[name]) for name in _READ_ONCE}


def note_change(container: Any) -> None:
    """Note the same again, where it was noted before, after an override that replaces those objects too."""
    if container in _in_use:
        note_use(container)


def note_end(container: Any) -> None:
    """Reset: the shared objects will be created again."""
    _in_use.pop(container, None)


def late_overrides(container: Any) -> Iterator[Fault]:
    """Overrides that were made after the objects that depend on the part."""
    for prefix, found in containers_in(container):
        for name, used in _in_use.get(found, {}).items():
            if current(found.providers[name]) is not used:
                yield Fault(
                    "late-override",
                    f"{prefix}{name}",
                    "it was overridden after the objects that were made from it, which keep the old one: use "
                    f"coatcheck.lifecycle.overridden(container, {name}=…), or override before anything is made.",
                )
