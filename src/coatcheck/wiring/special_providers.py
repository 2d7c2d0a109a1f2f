"""Providers of our own kinds: an input for settings with better errors, and a cache of an expensive object."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dependency_injector import errors, providers

from coatcheck.errors import SettingsError, WiringError
from coatcheck.wiring.traversal import current, related

if TYPE_CHECKING:
    Dependency = providers.Dependency[Any]
else:
    Dependency = providers.Dependency

T = TypeVar("T")


class SettingsInput(Dependency):
    """A ``Dependency`` on settings, whose errors name the invalid section of the host's configuration, and no value."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the settings.

        Raises:
            SettingsError: A setting is invalid; the error names the section of the configuration that it was read from.
            WiringError: Something else was passed. The library's error quotes it, and it may contain a password.
        """
        settings: Any = None
        try:
            settings = super().__call__(*args, **kwargs)
        except SettingsError as error:
            sections = [
                each.get_name() for each in related(current(self)) if isinstance(each, providers.ConfigurationOption)
            ]
            if not sections:
                raise
            raise SettingsError(f"Settings in {sections[0]}: {str(error).removeprefix('Settings: ')}") from None
        except errors.Error:
            pass
        if isinstance(settings, self.instance_of):  # an override can be anything
            return settings
        kind = self.instance_of.__name__
        raise WiringError(f"settings: an instance of {kind} is expected, {kind}(…), or a provider of one.")


class CachedProvider(Generic[T]):
    """Caches the object of a provider, and calls the provider again after an override begins or ends."""

    def __init__(self, provider: Any) -> None:
        self._provider: Callable[[], T] = provider
        self._cached: tuple[Any, T] | None = None

    def __call__(self) -> T:
        """Return the object."""
        active, cached = current(self._provider), self._cached  # type: ignore[arg-type]
        if cached is None or cached[0] is not active:
            cached = self._cached = (active, self._provider())
        return cached[1]
