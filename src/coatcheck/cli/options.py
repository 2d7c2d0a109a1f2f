"""Options that several commands share, and the settings that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coatcheck.cli.logs import announce, write_logs_as

if TYPE_CHECKING:
    from coatcheck.settings import Settings

Backend = Annotated[
    str | None,
    typer.Option(
        "--object-store-backend",
        help="Where objects are kept: memory, sqlite or redis. [env: COATCHECK_OBJECT_STORE_BACKEND; default: memory]",
        show_default=False,
    ),
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        help="redis://, unix://, redis+sentinel:// or redis+cluster:// URL; rediss… for TLS. "
        "With a password, better in the variable. [env: COATCHECK_REDIS_URL]",
        show_default=False,
    ),
]
Ttl = Annotated[
    float | None,
    typer.Option(
        "--object-store-ttl",
        help="Seconds an object is kept; 0 or less: for ever. [env: COATCHECK_OBJECT_STORE_TTL; default: 3600]",
        show_default=False,
    ),
]
WaitForStore = Annotated[
    float | None,
    typer.Option(
        "--wait-for-store",
        help="Seconds to wait at start for a store that does not answer. [env: COATCHECK_WAIT_FOR_STORE; default: 0]",
        show_default=False,
        metavar="SECONDS",
    ),
]
ShutdownTimeout = Annotated[
    float | None,
    typer.Option(
        "--shutdown-timeout",
        help="Most seconds for calls in flight when it is told to end (HTTP). "
        "[env: COATCHECK_SHUTDOWN_TIMEOUT; default: 10]",
        show_default=False,
        metavar="SECONDS",
        min=0,
    ),
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--log-format",
        help="How logs are written to stderr. [env: COATCHECK_LOG_FORMAT; default: text]",
        show_default=False,
    ),
]
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
    """Make the settings: a flag goes before a variable, a variable before the file, the file before the default."""
    from coatcheck.backends.urls import has_password
    from coatcheck.settings import Settings

    settings = Settings.load(flags.config, **{name: value for name, value in flags.given.items() if value is not None})
    if "log_format" in flags.given:  # a command that writes logs
        write_logs_as(settings.log_format)
    redis_url = flags.given.get("redis_url")
    if redis_url is not None and has_password(redis_url):
        announce(
            "the password in --redis-url shows in the process list; "
            "put the URL into COATCHECK_REDIS_URL or a settings file (--config)."
        )
    return settings


def store_flags(
    config: Path | None, object_store_backend: str | None, redis_url: str | None, **others: Any
) -> SettingsFlags:
    """What the command line says of the settings, the store's first."""
    return SettingsFlags(config, {"object_store_backend": object_store_backend, "redis_url": redis_url, **others})
