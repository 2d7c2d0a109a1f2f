"""Settings as options: each setting has a flag with its name and its description."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from coatcheck.cli.common_options import Config, ContainerPlace, SettingsFlags
from coatcheck.errors import excerpt

# The types are repeated here, because `wrap` starts its server before it imports the settings.
GROUPS: dict[str, dict[str, Any]] = {
    "Object store": {
        "object_store_backend": str,
        "redis_url": str,
        "sqlite_path": str,
        "object_store_ttl": float,
        "object_store_max_idle": float,
    },
    "Limits": {
        "inline_limit": int,
        "tool_limits": list,
        "never_keep": list,
        "always_keep": list,
        "round_limit": int,
        "structured_content": Literal["auto", "whole", "short"],
        "host_profile": str,
        "filter_argument": Literal["off", "accepted", "advertised"],
        "limits_in_tokens": bool,
        "preview_limit": int,
        "response_limit": int,
        "object_tools": list,
        "tool_prefix": str,
    },
    "Server": {
        "wait_for_store": float,
        "shutdown_timeout": float,
        "max_caller_sessions": int,
        "log_format": Literal["text", "json"],
    },
    "Bounds of the store": {
        "max_object_bytes": int,
        "max_namespace_objects": int,
        "max_namespace_bytes": int,
        "max_total_bytes": int,
        "namespace_secret": None,
        "object_store_options": None,
    },
    "Redis": {
        "redis_prefix": str,
        "redis_timeout": float,
        "redis_max_connections": int,
        "redis_compress_above": int,
        "redis_ids": Literal["uuid", "short"],
        "redis_sentinel_username": str,
        "redis_sentinel_password": None,
        "redis_ca_file": str,
        "redis_client_certificate": str,
        "redis_client_key": str,
    },
    "Sandbox": {
        "sandbox_workers": int,
        "sandbox_timeout": float,
        "sandbox_memory": int,
        "sandbox_cache": int,
    },
}
"""By title in the help, the common ones first: settings and the types of their flags.

A ``list`` is written with commas. ``None`` has no flag: secrets, because the process list shows arguments, and tables
of the settings file.
"""

ALL = {name: kind for group in GROUPS.values() for name, kind in group.items()}

Command = Callable[..., Any]

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

_METAVARS = {"Path": "PATH", "float": "SECONDS", "int": "NUMBER"}
_MOST_COLUMNS = 30
_LONGEST_FLAG = 60


def flag_of(setting: str) -> str:
    """Return the flag of a setting: ``--inline-limit`` for ``inline_limit``."""
    return "--" + setting.replace("_", "-")


def with_options(
    parameter: str, options: Mapping[str, tuple[Any, Any]], collect: Callable[[dict[str, Any]], Any]
) -> Callable[[Command], Command]:
    """Add options to a command, which receives the object created from their values as one parameter.

    ``options`` are annotation and default by name; ``collect`` makes the value of the parameter from theirs.
    """
    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [each.replace(kind=kind) for each in signature.parameters.values() if each.name != parameter]

        @wraps(command)
        def run(**values: Any) -> Any:
            given = {name: values.pop(name) for name in options}
            return command(**{parameter: collect(given)}, **values)

        run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*own, *added)}
        return run

    return decorate


def settings_options(*names: str, container: bool = False) -> Callable[[Command], Command]:
    """Add the options of these settings to a command; it receives them as the parameter ``settings``.

    ``--config`` names a settings file; ``container`` adds ``--container``, which names the user's own container.
    """
    chosen = [name for name in names or ALL if ALL[name] is not None]
    options = {name: _option(name) for name in chosen} | {"config": (Config, None)}
    if container:
        options["container"] = (ContainerPlace, None)

    def collect(values: dict[str, Any]) -> SettingsFlags:
        given = {name: _value(name, values[name]) for name in chosen}
        return SettingsFlags(values["config"], given, values.get("container"))

    return with_options("settings", options, collect)


def _option(name: str) -> tuple[Any, Any]:
    # Also errors in the settings are written in the format of the logs, so its variable is read before them.
    variable = "COATCHECK_LOG_FORMAT" if name == "log_format" else None
    kind, option = ALL[name], typer.Option(flag_of(name), show_default=False, envvar=variable)
    if kind is bool:
        return Annotated[bool, option], False
    return Annotated[(list[str] if kind is list else kind) | None, option], None


def _value(name: str, given: Any) -> Any:
    """Return the value for the settings; ``None`` if the flag was not used."""
    if ALL[name] is bool:
        return given or None
    if ALL[name] is not list:
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


class PlainCommand(TyperCommand):
    """A command whose help describes its arguments without their Python types."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        arguments = [each for each in self.get_params(ctx) if isinstance(each, TyperArgument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(each.metavar or "", each.help or "") for each in arguments])
        self.write_options(ctx, formatter)

    def write_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options."""
        options = (each for each in self.get_params(ctx) if isinstance(each, TyperOption))
        with formatter.section("Options"):
            formatter.write_dl([record for each in options if (record := each.get_help_record(ctx)) is not None])


class SettingsCommand(PlainCommand):
    """A command whose help lists the options of settings by subject, with their descriptions."""

    def write_options(self, ctx: Any, formatter: Any) -> None:
        """Write the command's own options, then those of settings."""
        options = {each.name: each for each in self.get_params(ctx) if isinstance(each, TyperOption)}
        common = [name for name in COMMON if name in options] if len(options) >= LONG_HELP else []
        if common:
            with formatter.section("Common"):
                rows = [_help_row(name) if name in ALL else options[name].get_help_record(ctx) for name in common]
                formatter.write_dl(rows, col_max=_MOST_COLUMNS)
        own = [option for name, option in options.items() if name not in ALL and name not in common]
        panels: dict[str, list[TyperOption]] = {}
        for option in own:
            panels.setdefault(option.rich_help_panel or "Options", []).append(option)
        for title, parameters in panels.items():
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


def _help_row(name: str) -> tuple[str, str]:
    from coatcheck.settings import Settings

    field = Settings.model_fields[name]
    default = field.default
    flag, description = flag_of(name) + _metavar(name, field.annotation), str(field.description)
    if len(flag) > _LONGEST_FLAG:  # the choices of a Literal
        flag, _, choices = flag.rpartition(" ")
        flag, description = f"{flag} NAME", f"{description} One of {choices.replace('|', ', ')}."
    if default in (None, "", (), False):
        return flag, description
    shown = f"{default:g}" if isinstance(default, float) else default
    return flag, f"{description} [default: {shown}]"


def _metavar(name: str, annotation: Any) -> str:
    kind = ALL[name]
    if kind is bool:
        return ""
    if kind is list:
        return {"tool_limits": " PATTERN=NUMBER", "object_tools": " NAMES"}.get(name, " PATTERN")
    if get_origin(annotation) is Literal:
        return " " + "|".join(get_args(annotation))
    return next((f" {shown}" for word, shown in _METAVARS.items() if word in str(annotation)), " TEXT")
