"""What a toolset is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from coatcheck.errors import SettingsError
from coatcheck.tool_factory import Registry


@dataclass(frozen=True, slots=True)
class Toolset:
    """Tools that are installed together.

    Attributes:
        name: What ``--toolset`` takes.
        tools: Gives the tools; it is called with the settings, or without arguments where there are none.
        settings: Model of the settings; a ``BaseSettings`` reads its own variables. Its fields become flags of
            ``coatcheck serve``.
        description: One line for listings.
    """

    name: str
    tools: Callable[..., Registry]
    settings: type[BaseModel] | None = None
    description: str = ""

    def registry(self, options: Mapping[str, Any] | None = None) -> Registry:
        """Give the tools, with these settings.

        Raises:
            SettingsError: Settings that the toolset does not have or that do not fit; no value is quoted.
        """
        if self.settings is None:
            if options:
                raise SettingsError(f"The toolset {self.name} has no settings, so not {', '.join(options)} either.")
            return self.tools()
        unknown = [name for name in options or {} if name not in self.settings.model_fields]
        if unknown:
            known = ", ".join(self.settings.model_fields)
            raise SettingsError(f"The toolset {self.name} has no setting {', '.join(unknown)}; there are: {known}.")
        try:
            return self.tools(self.settings(**(options or {})))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            text = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
            raise SettingsError(f"Settings of the toolset {self.name}: {text}.") from None
