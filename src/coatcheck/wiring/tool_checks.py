"""Checks of tools, as far as possible without creating anything."""

from collections.abc import Iterator
from typing import Any

from dependency_injector import providers

from coatcheck.errors import SettingsError, excerpt
from coatcheck.settings import Settings
from coatcheck.tools.object_tools import object_store_tools
from coatcheck.tools.tool_building import Registry, apply_custom_args, entry_of, require_registry
from coatcheck.wiring.factories import make_object_tools
from coatcheck.wiring.faults import Fault
from coatcheck.wiring.provider_checks import slots, visible
from coatcheck.wiring.traversal import arguments_of, callee_of, current


def tools(container: Any) -> Iterator[Fault]:
    """Finds invalid registries, name clashes, and parameters that the functions do not have."""
    for path, part, provider in slots(container):
        if part != "tools":
            continue
        names: set[str] = set()
        for registry in _visible_registries(provider):
            try:
                require_registry(registry)
            except SettingsError as error:
                yield Fault("malformed-registry", path, str(error))
                continue
            clashes = sorted(names.intersection(registry))
            if clashes:
                yield Fault(
                    "duplicate-tool",
                    path,
                    f"two registries have tools of the same name: {', '.join(map(excerpt, clashes))}. Rename one.",
                )
            names.update(registry)
            for name in registry:
                yield from _entry(f"{path}[{name!r}]", registry, name)


def _visible_registries(tools: Any) -> Iterator[Any]:
    """The registries that are plain objects, and the object tools."""
    for given in arguments_of(current(tools))[0]:
        if not isinstance(given, providers.Provider):
            yield given
            continue
        active = current(given)
        if isinstance(active, providers.Object):
            yield active.provides
        elif callee_of(active) is make_object_tools:
            settings = visible(arguments_of(active)[0][2])
            known = isinstance(settings, Settings)  # else their names may differ from the defaults
            yield make_object_tools(_never, _never, settings) if known else object_store_tools(_never, _never)


def _never() -> Any:
    raise AssertionError("only the names and functions of the object tools are used")


def _entry(path: str, registry: Registry, name: str) -> Iterator[Fault]:
    try:
        function, config = entry_of(registry, name)
    except SettingsError as error:
        yield Fault("malformed-registry", path, str(error))
        return
    try:
        apply_custom_args(function, config)
    except SettingsError as error:
        yield Fault("unknown-tool-parameter", path, str(error))
