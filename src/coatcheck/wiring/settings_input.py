"""The container's input for settings: its errors name the invalid section of the host's configuration."""

from typing import TYPE_CHECKING, Any

from dependency_injector import providers

from coatcheck.errors import SettingsError
from coatcheck.wiring.traversal import current, related

if TYPE_CHECKING:
    Dependency = providers.Dependency[Any]
else:
    Dependency = providers.Dependency


class SettingsInput(Dependency):
    """A ``Dependency`` on settings."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the settings.

        Raises:
            SettingsError: A setting is invalid; the error names the section of the configuration that it was read from.
        """
        try:
            return super().__call__(*args, **kwargs)
        except SettingsError as error:
            sections = [
                each.get_name() for each in related(current(self)) if isinstance(each, providers.ConfigurationOption)
            ]
            if not sections:
                raise
            raise SettingsError(f"Settings in {sections[0]}: {str(error).removeprefix('Settings: ')}") from None
