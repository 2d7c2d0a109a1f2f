"""What the command line says of the settings, and the settings made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coatcheck.cli.logs import announce, write_logs_as
from coatcheck.errors import excerpt

if TYPE_CHECKING:
    from coatcheck.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file (TOML). [env: COATCHECK_CONFIG]", show_default=False),
]


@dataclass(frozen=True, slots=True)
class SettingsFlags:
    """What the command line says of the settings.

    Attributes:
        config: The settings file, if one was named.
        given: What flags gave, by the setting's name; ``None`` for a flag that was not used.
    """

    config: Path | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


def make_settings(flags: SettingsFlags) -> "Settings":
    """Make the settings: flags override environment variables, which override the settings file."""
    from coatcheck.backends.url_redaction import has_password
    from coatcheck.settings import Settings, unknown_variables

    for variable, meant in unknown_variables().items():
        hint = f"Did you mean {meant}?" if meant else "The README lists the settings."
        announce(f"the variable {excerpt(variable, 60)} is not a setting and has no effect. {hint}")
    settings = Settings.load(flags.config, **{name: value for name, value in flags.given.items() if value is not None})
    if "log_format" in flags.given:  # a command that writes logs
        write_logs_as(settings.log_format)
    redis_url = flags.given.get("redis_url")
    if redis_url is not None and has_password(redis_url):
        announce(
            "the password in --redis-url can be read in the process list; "
            "set COATCHECK_REDIS_URL or use a settings file (--config)."
        )
    return settings
