"""The toolset under the name ``deepset``."""

from collections.abc import Mapping
from typing import Any, cast

from coatcheck.containers import Container
from coatcheck.settings import Settings
from coatcheck.tool_factory import Registry
from coatcheck.toolsets import Installation, Toolset
from coatcheck.toolsets.deepset.api_keys import KeyVerifier
from coatcheck.toolsets.deepset.containers import DeepsetContainer, limited_settings
from coatcheck.toolsets.deepset.deepset_settings import DeepsetSettings
from coatcheck.toolsets.deepset.tools.deepset_registry import deepset_registry

Options = Mapping[str, Any] | None


class DeepsetToolset(Toolset):
    """Tools of the deepset AI platform."""

    def _settings(self, options: Options) -> DeepsetSettings:
        return cast("DeepsetSettings", self.load_settings(options))

    def listing(self, options: Options = None) -> Registry:
        """Return the tools without settings: a listing needs no API key."""
        del options
        return deepset_registry()

    def adapt(self, options: Options, core: Settings) -> Settings:
        """Shorten the lifetime of objects if API keys come with requests."""
        return limited_settings(self._settings(options), core)

    def token_verifier(self, options: Options) -> KeyVerifier | None:
        """Authenticate callers by the API keys of their requests, if the settings require it."""
        return KeyVerifier() if self._settings(options).api_key_from_auth_header else None

    def install(self, options: Options, container: Container) -> Installation:
        """Return what the toolset adds to a server; raises ``SettingsError`` if a setting is invalid."""
        host = DeepsetContainer(settings=self._settings(options), coatcheck=container)
        installation: Installation = host.installation()
        return installation


TOOLSET = DeepsetToolset(
    "deepset",
    lambda settings: DeepsetContainer(settings=settings).registry(),
    DeepsetSettings,
    description="Tools of the deepset AI platform.",
)
