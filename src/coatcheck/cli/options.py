"""Options that several commands share, and the settings that they make."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

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
        help="redis://, rediss:// or unix:// URL. With a password, better in the variable. [env: COATCHECK_REDIS_URL]",
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
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file (TOML). [env: COATCHECK_CONFIG]", show_default=False),
]


SettingsFlags = (
    tuple[str | None, str | None, float | None, Path | None]
    | tuple[str | None, str | None, float | None, Path | None, float | None]
)
"""Backend, Redis URL, seconds to keep, settings file, seconds to wait for the store, as the flags gave them."""


def make_settings(
    backend: str | None,
    redis_url: str | None,
    ttl: float | None,
    config: Path | None,
    wait_for_store: float | None = None,
    *,
    said: Mapping[str, Any] = MappingProxyType({}),
) -> "Settings":
    """Make the settings: a flag goes before a variable, a variable before the file, the file before the default.

    ``said`` are settings that a command has flags of its own for.
    """
    from coatcheck.settings import Settings

    given: dict[str, Any] = {**said, "object_store_backend": backend, "redis_url": redis_url, "object_store_ttl": ttl}
    given["wait_for_store"] = wait_for_store
    if redis_url is not None and urlsplit(redis_url).password:
        typer.echo(
            "coatcheck: the password in --redis-url shows in the process list; "
            "put the URL into COATCHECK_REDIS_URL or a settings file (--config).",
            err=True,
        )
    return Settings.load(config, **{name: value for name, value in given.items() if value is not None})
