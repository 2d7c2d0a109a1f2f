"""The toolset's settings take values as variables and flags have them, and its containers have precise types."""

from typing import assert_type

from coatcheck import Container
from coatcheck.toolsets.deepset import DeepsetContainer, DeepsetSettings

host = DeepsetContainer(settings=DeepsetSettings(api_key="key", workspace="default"))

assert_type(host.settings(), DeepsetSettings)
assert_type(host.coatcheck(), Container)
