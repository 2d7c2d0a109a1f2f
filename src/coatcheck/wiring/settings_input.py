"""The container's input for settings: its errors name the section of the host's configuration that is at fault."""

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
        """Give the settings.

        Raises:
            SettingsError: They do not fit; where they are made from a section of a configuration, the error names it.
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
