"""Loads a container by ``module:attribute``, for the command line."""

from importlib import import_module
from typing import Any, cast

from dependency_injector import containers, providers

from coatcheck.containers import Container
from coatcheck.errors import SettingsError, excerpt
from coatcheck.wiring.ownership import is_coatcheck


def load_container(place: str) -> Container:
    """Load a container: an instance, a host's container that contains one, or a function that returns either.

    Args:
        place: ``module:attribute``, or ``module:host.coatcheck`` for a container in a host's.

    Raises:
        SettingsError: The name is malformed, cannot be imported, or is not a container.
    """
    module, _, path = place.partition(":")
    if not module or not path:
        raise SettingsError(f"--container takes module:attribute, not {excerpt(place)!r}.")
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        if callable(found) and not isinstance(found, containers.DynamicContainer):
            found = found()
    except Exception as error:
        reason = excerpt(str(error), 200).removesuffix(".")
        raise SettingsError(
            f"The container {excerpt(place)} cannot be loaded: {type(error).__name__}: {reason}."
        ) from error
    return _find_coatcheck(found, place)


def _find_coatcheck(found: Any, place: str) -> Container:
    if isinstance(found, containers.DynamicContainer):
        if is_coatcheck(found):
            return cast("Container", found)
        nested = {
            name: provider.container
            for name, provider in found.providers.items()
            if isinstance(provider, providers.Container) and is_coatcheck(provider.container)
        }
        if len(nested) == 1:
            return cast("Container", next(iter(nested.values())))
        if nested:
            places = ", ".join(f"{place}.{name}" for name in sorted(nested))
            raise SettingsError(f"{excerpt(place)} has several coatcheck containers; name one of them: {places}.")
    raise SettingsError(
        f"{excerpt(place)} is not a coatcheck container but {type(found).__name__}: it must be a "
        "coatcheck.Container(…), or a container that has one in it."
    )
