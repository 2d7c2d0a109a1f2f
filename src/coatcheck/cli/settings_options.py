"""Settings as options: each setting has a flag with its name and its description."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperOption

from coatcheck.cli.options import Config, ContainerPlace, SettingsFlags
from coatcheck.errors import excerpt

STORE = ("object_store_backend", "redis_url", "sqlite_path", "object_store_ttl", "object_store_max_idle")
LIMITS = (
    "inline_limit",
    "tool_limits",
    "never_keep",
    "always_keep",
    "round_limit",
    "structured_content",
    "host_profile",
    "filter_argument",
    "limits_in_tokens",
    "preview_limit",
    "response_limit",
    "object_tools",
    "tool_prefix",
)
SERVER = ("wait_for_store", "shutdown_timeout", "max_caller_sessions", "log_format")
BOUNDS = (
    "max_object_bytes",
    "max_namespace_objects",
    "max_namespace_bytes",
    "max_total_bytes",
    "namespace_secret",
    "object_store_options",
)
SANDBOX = ("sandbox_workers", "sandbox_timeout", "sandbox_memory", "sandbox_cache")
REDIS = (
    "redis_prefix",
    "redis_timeout",
    "redis_max_connections",
    "redis_compress_above",
    "redis_ids",
    "redis_sentinel_username",
    "redis_sentinel_password",
    "redis_ca_file",
    "redis_client_certificate",
    "redis_client_key",
)
GROUPS = {
    "Object store": STORE,
    "Limits": LIMITS,
    "Server": SERVER,
    "Bounds of the store": BOUNDS,
    "Redis": REDIS,
    "Sandbox": SANDBOX,
}
"""Title in the help → settings, the common ones first."""

COMMON = (
    "url",
    "servers",
    "toolset",
    "transport",
    "port",
    "object_store_backend",
    "redis_url",
    "object_store_ttl",
    "inline_limit",
    "object_tools",
    "verbose",
)
"""The first options of a long help: those of the command, and common settings."""

LONG_HELP = 20
"""Number of options from which a help is long."""

ALL = tuple(name for names in GROUPS.values() for name in names)

_LISTS = frozenset({"tool_limits", "never_keep", "always_keep", "object_tools"})
_SWITCHES = frozenset({"limits_in_tokens"})
_SECONDS = frozenset(
    {
        "object_store_ttl",
        "object_store_max_idle",
        "wait_for_store",
        "shutdown_timeout",
        "redis_timeout",
        "sandbox_timeout",
    }
)
_TEXTS = frozenset(
    {
        "host_profile",
        "object_store_backend",
        "redis_url",
        "sqlite_path",
        "redis_prefix",
        "tool_prefix",
        "redis_sentinel_username",
        "redis_ca_file",
        "redis_client_certificate",
        "redis_client_key",
    }
)
# The types are repeated here, because `wrap` starts its server before it imports the settings.
_VARIABLE_ONLY = frozenset({"namespace_secret", "redis_sentinel_password", "object_store_options"})
"""Settings without a flag: secrets, because the process list shows arguments, and tables of the settings file."""

_CHOICES: dict[str, Any] = {
    "filter_argument": Literal["off", "accepted", "advertised"],
    "log_format": Literal["text", "json"],
    "redis_ids": Literal["uuid", "short"],
    "structured_content": Literal["auto", "whole", "short"],
}

_METAVARS = {"Path": "PATH", "float": "SECONDS", "int": "NUMBER"}
_MOST_COLUMNS = 30
_LONGEST_FLAG = 60


def flag_of(setting: str) -> str:
    """Return the flag of a setting: ``--inline-limit`` for ``inline_limit``."""
    return "--" + setting.replace("_", "-")


def settings_options(*names: str, container: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of these settings to a command; it receives them as the parameter ``settings``.

    Args:
        names: Settings with a flag; all by default. ``--config`` names a settings file.
        container: Whether to add ``--container``, which names the user's own container.
    """
    chosen = [name for name in names or ALL if name not in _VARIABLE_ONLY]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command)
        files = [("config", Config, None), *([("container", ContainerPlace, None)] if container else [])]
        parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "settings"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, annotation, default in (*map(_option, chosen), *files)
        ]

        @wraps(command)
        def run(**values: Any) -> Any:
            given = {name: _value(name, values.pop(name)) for name in chosen}
            return command(settings=SettingsFlags(values.pop("config"), given, values.pop("container", None)), **values)

        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters),
                *added,
            ]
        )
        run.__annotations__ = {
            **{name: kind for name, kind in command.__annotations__.items() if name != "settings"},
            **{parameter.name: parameter.annotation for parameter in added},
        }
        return run

    return decorate


def _option(name: str) -> tuple[str, Any, Any]:
    if name in _SWITCHES:
        return name, Annotated[bool, typer.Option(flag_of(name), show_default=False)], False
    if name in _LISTS:
        return name, Annotated[list[str] | None, typer.Option(flag_of(name), show_default=False)], None
    if name in _CHOICES:
        return name, Annotated[_CHOICES[name] | None, typer.Option(flag_of(name), show_default=False)], None
    kind = str if name in _TEXTS else float if name in _SECONDS else int
    return name, Annotated[kind | None, typer.Option(flag_of(name), show_default=False)], None


def _value(name: str, given: Any) -> Any:
    """Return the value for the settings; ``None`` if the flag was not used."""
    if name in _SWITCHES:
        return given or None
    if name not in _LISTS:
        return given
    parts = [part.strip() for one in given or () for part in one.split(",") if part.strip()]
    if name == "tool_limits":
        for part in parts:
            pattern, _, number = part.rpartition("=")
            if not pattern.strip() or not number.strip().isdecimal():
                raise typer.BadParameter(
                    f'--tool-limits takes PATTERN=NUMBER, such as "git_*=8000", not "{excerpt(part)}".'
                )
    return parts or None


class SettingsCommand(TyperCommand):
    """A command whose help lists the options of settings by subject, with their descriptions."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the command's own options, then those of settings."""
        options = {each.name: each for each in self.get_params(ctx) if isinstance(each, TyperOption)}
        common = [name for name in COMMON if name in options] if len(options) >= LONG_HELP else []
        if common:
            with formatter.section("Common"):
                rows = [_help_row(name) if name in ALL else options[name].get_help_record(ctx) for name in common]
                formatter.write_dl(rows, col_max=_MOST_COLUMNS)
        own = [option for name, option in options.items() if name not in ALL and name not in common]
        for title, parameters in _by_panel(own):
            rows = [record for parameter in parameters if (record := parameter.get_help_record(ctx)) is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=_MOST_COLUMNS)
        taken = options.keys() - common
        if taken.intersection(ALL):
            formatter.write_paragraph()
            formatter.write_text(
                "Settings. Each has an environment variable too, COATCHECK_INLINE_LIMIT for --inline-limit; "
                "flags override variables, variables override the settings file."
            )
        for title, names in GROUPS.items():
            rows = [_help_row(name) for name in names if name in taken]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=_MOST_COLUMNS)


def _by_panel(options: list[TyperOption]) -> Iterator[tuple[str, list[TyperOption]]]:
    panels: dict[str, list[TyperOption]] = {}
    for option in options:
        panels.setdefault(option.rich_help_panel or "Options", []).append(option)
    yield from panels.items()


def _help_row(name: str) -> tuple[str, str]:
    from coatcheck.settings import Settings

    field = Settings.model_fields[name]
    default = field.default
    flag, description = flag_of(name) + _metavar(name, field), str(field.description)
    if len(flag) > _LONGEST_FLAG:  # the choices of a Literal
        flag, _, choices = flag.rpartition(" ")
        flag, description = f"{flag} NAME", f"{description} One of {choices.replace('|', ', ')}."
    if default in (None, "", (), False):
        return flag, description
    shown = f"{default:g}" if isinstance(default, float) else default
    return flag, f"{description} [default: {shown}]"


def _metavar(name: str, field: Any) -> str:
    if name in _SWITCHES:
        return ""
    if name == "tool_limits":
        return " PATTERN=NUMBER"
    if name in _LISTS:
        return " PATTERN"
    if get_origin(field.annotation) is Literal:
        return " " + "|".join(get_args(field.annotation))
    kinds = str(field.annotation)
    return next((f" {shown}" for word, shown in _METAVARS.items() if word in kinds), " TEXT")
