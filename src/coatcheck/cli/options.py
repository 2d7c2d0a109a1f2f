"""The flags of ``coatcheck wrap`` that say how much of a result passes unchanged: settings, said in few letters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coatcheck.cli.logs import announce, write_logs_as

if TYPE_CHECKING:
    from coatcheck.settings import Settings
from collections.abc import Sequence

from coatcheck.errors import SettingsError, excerpt

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
    from coatcheck.backends.url_redaction import has_password
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


@dataclass(frozen=True, slots=True)
class Shaping:
    """What the command line says about limits.

    Attributes:
        limits: ``PATTERN=NUMBER``, or a number alone for all tools.
        never: Patterns of tools whose results always pass unchanged.
        always: Patterns of tools whose results are always kept.
        round_limit: What the results of one round may have together; 0 for no limit.
        tokens: Whether numbers are tokens.
    """

    limits: Sequence[str] = ()
    never: Sequence[str] = ()
    always: Sequence[str] = ()
    round_limit: int | None = None
    tokens: bool = False

    def settings(self) -> dict[str, Any]:
        """Give the settings that were said; each goes before its variable and the settings file.

        Raises:
            SettingsError: A limit that is no number.
        """
        by_tool: list[tuple[str, int]] = []
        said: dict[str, Any] = {"tool_limits": by_tool, "never_keep": self.never, "always_keep": self.always}
        said["limits_in_tokens"] = self.tokens
        for given in self.limits:
            pattern, separator, number = given.rpartition("=")
            if not number.strip().isdecimal() or (separator and not pattern.strip()):
                raise SettingsError(f'--limit wants PATTERN=NUMBER or NUMBER, not "{excerpt(given)}".')
            if separator:
                by_tool.append((pattern.strip(), int(number)))
            else:
                said["inline_limit"] = int(number)
        # What was not said is empty or false and leaves the word to the variables.
        return {name: value for name, value in said.items() if value or name == "inline_limit"} | (
            {} if self.round_limit is None else {"round_limit": self.round_limit}
        )
