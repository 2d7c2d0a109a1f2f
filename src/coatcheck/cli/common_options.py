"""The settings from the command line."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coatcheck.cli.logs import announce, write_logs_as
from coatcheck.errors import excerpt

if TYPE_CHECKING:
    from coatcheck.containers import Container
    from coatcheck.settings import Settings

ContainerPlace = Annotated[
    str | None,
    typer.Option(
        "--container",
        help="A container of your own, with its own settings: module:attribute.",
        metavar="PLACE",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file (TOML). [env: COATCHECK_CONFIG]", show_default=False),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")]


class WrongUsage(typer.BadParameter):
    """Contradictory arguments: exit code 2, without typer's "Invalid value", which concerns a single option."""

    def format_message(self) -> str:
        """Return the message unchanged."""
        return self.message


@dataclass(frozen=True, slots=True)
class SettingsFlags:
    """The options of the settings."""

    config: Path | None = None  # the settings file, if one was named
    # The values of flags by the setting's name; `None` for an unused flag.
    given: Mapping[str, Any] = field(default_factory=dict)
    container: str | None = None  # the user's own container, as `module:attribute`


def make_settings(flags: SettingsFlags) -> "Settings":
    """Create the settings: flags override environment variables, which override the settings file."""
    from coatcheck.backends.url_redaction import has_password
    from coatcheck.settings import Settings, unknown_variables

    given = {name: value for name, value in flags.given.items() if value is not None}
    try:
        settings = Settings.load(flags.config, **given)
        if "log_format" in flags.given:  # a command that writes logs
            write_logs_as(settings.log_format)
    finally:  # in the format of the logs, and also before an error, which the misspelt name may explain
        for variable, meant in unknown_variables().items():
            hint = f"Did you mean {meant}?" if meant else "The README lists the settings."
            announce(f"the variable {excerpt(variable, 60)} is not a setting and has no effect. {hint}")
    used = settings.object_store_backend
    for name, backend in (("redis_url", "redis"), ("sqlite_path", "sqlite")):
        if flags.given.get(name) is not None and used in {"memory", "redis", "sqlite"} - {backend}:
            flag = "--" + name.replace("_", "-")
            warning = f"{flag} has no effect with the backend {used}; add --object-store-backend {backend}."
            announce(warning, logging.WARNING)
    redis_url = flags.given.get("redis_url")
    if redis_url is not None and has_password(redis_url):
        announce(
            "the password in --redis-url can be read in the process list; "
            "set COATCHECK_REDIS_URL or use a settings file (--config).",
            logging.WARNING,
        )
    return settings


def make_container(flags: SettingsFlags) -> "Container":
    """Create the container: the user's own, or one with the settings of the command line.

    Raises:
        SettingsError: The user's own container cannot be loaded, or settings were passed as well.
    """
    from coatcheck.containers import Container

    if flags.container is None:
        return Container(settings=make_settings(flags))
    from coatcheck.errors import SettingsError
    from coatcheck.wiring.loading import load_container

    # The log format belongs to this process; all other settings belong to the container.
    given = [name for name, value in flags.given.items() if value is not None and name != "log_format"]
    if given or flags.config is not None:
        names = ["config"] if flags.config is not None else given
        flag = "--" + names[0].replace("_", "-")
        raise SettingsError(
            f"--container brings its own settings, so {flag} would have no effect: leave one of them out."
        )
    sys.path.insert(0, "")  # modules are searched in the current folder first
    return load_container(flags.container)


def store_location(settings: "Settings") -> str:
    """Name the store of the settings, without secrets of a URL."""
    from coatcheck.backends import redact_url

    if settings.object_store_backend == "sqlite":
        return str(settings.sqlite_file())
    if settings.object_store_backend == "redis" and settings.redis_url is not None:
        return redact_url(settings.redis_url.get_secret_value())
    return f"the backend {settings.object_store_backend}"
