"""Settings, and the only place that reads the environment.

Arguments of the constructor (flags of the command line) override environment variables, which override the settings
file, which overrides the defaults. ``COATCHECK_…`` variables override their ``DEEPSET_…`` aliases.
"""

import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from coatcheck.errors import SettingsError, fault_text
from coatcheck.user_folders import cache_folder, read_user_file, why_no_file

__all__ = ["Settings"]

MEBIBYTE = 1024 * 1024
CONFIG_VARIABLE = "COATCHECK_CONFIG"
_PREFIX = "COATCHECK_"
_PLAN_PREFIX = "DEEPSET_"
_HEADER = "COATCHECK_HEADER_"
"""Prefix of variables that contain headers of a wrapped server; see ``coatcheck install``."""
_FILE = "_config_file"


def _no_switch(given: Any) -> Any:
    """Refuse true and false as numbers: pydantic reads them as 1 and 0."""
    if isinstance(given, bool):
        raise ValueError("a number is expected, not true or false")  # noqa: TRY004
    return given


Whole = Annotated[int, BeforeValidator(_no_switch)]
Real = Annotated[float, BeforeValidator(_no_switch)]
Limit = Annotated[Whole, Field(ge=0)]
"""A number of characters, bytes or objects; for limits, 0 usually means no limit."""


def _listed(given: Any) -> Any:
    """Parse a list in a variable: parts between commas."""
    if isinstance(given, str):
        return [part.strip() for part in given.split(",") if part.strip()]
    if not isinstance(given, (list, tuple)):
        raise ValueError("a list is expected, in a variable with commas: git_*, *_log")  # noqa: TRY004
    return given


def _options(given: Any) -> Any:
    """Parse a table in a variable: a JSON object. Errors do not quote the text, which may contain a secret."""
    try:
        parsed = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        parsed = None
    if not isinstance(parsed, Mapping):
        raise ValueError('a table is expected, in a variable a JSON object such as {"folder": "/data"}')  # noqa: TRY004
    return parsed


def _limits_by_pattern(given: Any) -> Any:
    """Parse limits by pattern: a table, or ``PATTERN=NUMBER`` between commas or in a list."""
    if isinstance(given, Mapping):
        return tuple(given.items())
    if not isinstance(given, (str, list, tuple)):
        raise ValueError("a table is expected, in a variable git_*=8000, *_log=2000")  # noqa: TRY004
    return tuple(_limit_of_pattern(part) if isinstance(part, str) else part for part in _listed(given))


def _limit_of_pattern(given: str) -> tuple[str, str]:
    pattern, separator, number = given.rpartition("=")
    if not separator or not pattern.strip() or not number.strip().isdecimal():
        raise ValueError("each part is PATTERN=NUMBER, as in git_*=8000, *_log=2000")
    return pattern.strip(), number.strip()


Patterns = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Names of tools, with shell patterns such as ``git_*``."""

LimitsByPattern = Annotated[tuple[tuple[str, Limit], ...], NoDecode, BeforeValidator(_limits_by_pattern)]
"""Patterns of tool names, each with a limit; the first match applies."""


BUILT_IN_BACKENDS = ("memory", "redis", "sqlite")
BACKENDS_GROUP = "coatcheck.backends"
"""The entry point group for backends of installed packages."""


def installed_backends() -> dict[str, EntryPoint]:
    """Backends of installed packages by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=BACKENDS_GROUP)}


def _known_backend(name: str) -> str:
    """Refuse an unknown backend name; installed ones are looked up only if the name is not built in."""
    if name not in BUILT_IN_BACKENDS:
        known = sorted({*BUILT_IN_BACKENDS, *installed_backends()})
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            # The name is not quoted: a value in the wrong variable may be a secret.
            raise ValueError(f"there is no backend of this name; there are: {', '.join(known)}{hint}")
    return name


def _prefix_of_names(prefix: str) -> str:
    """Refuse a prefix that names of tools cannot have."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", prefix):
        raise ValueError("at most 40 letters (A to Z), digits, _ and - are allowed")
    return prefix


class PlanVariables(PydanticBaseSettingsSource):
    """The ``DEEPSET_…`` aliases of three settings."""

    FIELDS = ("object_store_backend", "redis_url", "object_store_ttl")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Read one variable."""
        del field
        return os.environ.get(f"{_PLAN_PREFIX}{field_name.upper()}") or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read all aliases; an empty variable counts as not set."""
        found = {name: os.environ.get(f"{_PLAN_PREFIX}{name.upper()}") for name in self.FIELDS}
        return {name: value for name, value in found.items() if value}


class Settings(BaseSettings):
    """All settings of coatcheck. Limits are in characters unless stated otherwise.

    Raises:
        SettingsError: A value is invalid; the message names the setting, never a secret's value.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    object_store_backend: Annotated[str, AfterValidator(_known_backend)] = Field(
        "memory", description="Where objects are kept: memory, sqlite, redis, or an installed backend."
    )
    object_store_options: Annotated[dict[str, Any], NoDecode, BeforeValidator(_options)] = Field(
        {}, description="Options of an installed backend, which it documents."
    )
    sqlite_path: Path | None = Field(None, description="SQLite: the file; without it, one in the user's cache folder.")
    redis_url: SecretStr | None = Field(
        None, description="Redis: redis://, unix://, redis+sentinel:// or redis+cluster:// URL; rediss… for TLS."
    )
    redis_sentinel_username: str | None = Field(None, description="Redis: user name at the sentinels.")
    redis_sentinel_password: SecretStr | None = Field(None, description="Redis: password at the sentinels.")
    redis_ca_file: Path | None = Field(None, description="Redis: CA certificates for rediss:// (PEM).")
    redis_client_certificate: Path | None = Field(None, description="Redis: client certificate for rediss:// (PEM).")
    redis_client_key: Path | None = Field(
        None, description="Redis: key of the client certificate, if it is in a separate file."
    )
    redis_prefix: str = Field("coatcheck:", description="Redis: prefix of every key.")
    redis_timeout: Real = Field(0.8, gt=0, description="Redis: timeout of an operation.")
    redis_max_connections: Whole = Field(
        32, ge=1, description="Redis: maximum number of connections for each event loop."
    )
    redis_compress_above: Limit | None = Field(
        None, description="Redis: bytes above which objects are compressed; 0: never."
    )
    redis_ids: Literal["uuid", "short"] = Field("uuid", description="Redis: ids of 36 characters, or of 10.")
    object_store_ttl: Real = Field(
        3600.0, allow_inf_nan=False, description="Seconds an object is kept; 0 or less: no expiry."
    )
    object_store_max_idle: Real = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Memory, SQLite: seconds after which an unused object expires; 0: no limit.",
    )

    wait_for_store: Real = Field(0.0, ge=0, description="Seconds to wait at start for a store that does not answer.")

    shutdown_timeout: Real = Field(10.0, ge=0, description="Maximum seconds from a signal to the end of the process.")
    max_caller_sessions: Whole = Field(
        50, ge=0, description="HTTP (wrap): maximum number of open sessions of one caller, of 200 for all."
    )
    log_format: Literal["text", "json"] = Field("text", description="Format of the logs on stderr.")

    namespace_secret: SecretStr | None = Field(None, description="Key of the hash that names a user's namespace.")

    inline_limit: Limit = Field(8000, description="Results up to this number of characters pass unchanged.")
    tool_limits: LimitsByPattern = Field((), description="inline_limit for some tools: PATTERN=NUMBER, with commas.")
    never_keep: Patterns = Field((), description="Tools whose results always pass unchanged: patterns, with commas.")
    always_keep: Patterns = Field(
        (), description="Tools whose results are kept even when small: patterns, with commas."
    )
    round_limit: Limit | None = Field(
        None,
        description="Characters of the results of parallel calls together; 0: no limit; default: 4 times inline_limit.",
    )
    structured_content: Literal["auto", "whole", "short"] = Field(
        "auto", description="Whether structuredContent of a large result stays whole; auto depends on the host."
    )
    host_profile: Literal[
        "auto",
        "claude-code",
        "claude-desktop",
        "codex",
        "copilot-cli",
        "default",
        "gemini-cli",
        "goose",
        "opencode",
        "vscode",
    ] = Field("auto", description="Profile of the MCP host; auto: chosen by the name that the host sends.")
    filter_argument: Literal["off", "accepted", "advertised"] = Field(
        "accepted",
        description="Whether every tool takes _filter, a jq filter on its result; advertised: its schema lists it.",
    )
    limits_in_tokens: bool = Field(
        default=False,
        description="Count inline_limit, tool_limits and round_limit in tokens, each of at most 4 characters.",
    )
    preview_limit: Whole = Field(4000, ge=200, description="Maximum length of a preview, in characters.")
    response_limit: Whole = Field(
        8000, ge=500, description="Maximum length of an answer of an object tool, in characters."
    )

    object_tools: Patterns = Field(
        (),
        description="Object tools to offer: get, slice, grep, sed, query, put, delete, list; default: all.",
    )
    tool_prefix: Annotated[str, AfterValidator(_prefix_of_names)] = Field(
        "object_store_", description="Prefix of the names of the object tools."
    )

    max_object_bytes: Limit = Field(128 * MEBIBYTE, description="Maximum size of an object, in bytes.")
    max_namespace_objects: Limit = Field(1000, description="Memory, SQLite: maximum number of objects of one user.")
    max_namespace_bytes: Limit = Field(512 * MEBIBYTE, description="Memory, SQLite: maximum bytes of one user.")
    max_total_bytes: Limit = Field(2048 * MEBIBYTE, description="Memory, SQLite: maximum bytes of all users.")

    sandbox_workers: Whole = Field(
        2, ge=1, le=64, description="Number of worker processes, which run patterns and filters."
    )
    sandbox_timeout: Real = Field(2.0, gt=0, description="Seconds a pattern or filter may run.")
    sandbox_memory: Whole = Field(1024 * MEBIBYTE, ge=128 * MEBIBYTE, description="Bytes of memory for each worker.")
    sandbox_cache: Limit = Field(256 * MEBIBYTE, description="Bytes of decoded objects that each worker keeps.")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error, values)) from None

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Create settings from a section of a host's configuration.

        Raises:
            SettingsError: The section is missing or not a mapping, or a value is invalid.
        """
        if isinstance(obj, cls):
            return obj
        if options:
            raise TypeError(f"Settings.model_validate() takes no {', '.join(options)}: it reads one mapping.")
        if not isinstance(obj, Mapping):
            given = "the section is missing" if obj is None else f"it is a {type(obj).__name__}"
            raise SettingsError(f"Settings: a mapping of settings is expected, and {given}.")
        return cls(**obj)

    @classmethod
    def load(cls, config: Path | None = None, **values: Any) -> "Settings":
        """Create settings with a settings file (TOML); without one, the file that ``COATCHECK_CONFIG`` names.

        Raises:
            SettingsError: The file is missing or malformed, or a value is invalid.
        """
        return cls(**values, **({} if config is None else {_FILE: config}))

    def sqlite_file(self) -> Path:
        """The SQLite file: ``sqlite_path``, else ``coatcheck/objects.sqlite`` in the user's cache folder."""
        return self.sqlite_path or cache_folder() / "coatcheck" / "objects.sqlite"

    @model_validator(mode="after")
    def _redis_needs_a_url(self) -> Self:
        if self.object_store_backend == "redis" and self.redis_url is None:
            raise ValueError("the redis backend needs a URL: --redis-url or COATCHECK_REDIS_URL=redis://host:6379")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in their order of precedence; ``COATCHECK_CONFIG`` names a TOML file."""
        del dotenv_settings, file_secret_settings
        plan = PlanVariables(settings_cls)
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        path = given.pop(_FILE, None) or os.environ.get(CONFIG_VARIABLE)
        if not path:
            return init_settings, env_settings, plan
        return init_settings, env_settings, plan, InitSettingsSource(settings_cls, _read_file(Path(path)))


def variable_of(setting: str, *prefixes: str) -> str | None:
    """Return the name of the variable that a setting is read from, if one is set; an empty one does not count."""
    set_here = {variable.upper() for variable, value in os.environ.items() if value}
    names = [f"{prefix}{setting}".upper() for prefix in prefixes]
    return next((name for name in names if name in set_here), None)


def _read_file(path: Path) -> dict[str, Any]:
    """Read a settings file. A byte order mark, which some editors write, is dropped."""
    if not path.is_file():
        raise SettingsError(f"The settings file {path} {why_no_file(path)} (--config or {CONFIG_VARIABLE}).")
    try:
        return tomllib.loads(read_user_file(path, unsafe=stat.S_IWOTH).decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {path} is not in UTF-8 (byte {error.start}).") from None
    except ValueError as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from None


def unknown_variables() -> dict[str, str | None]:
    """Return unknown ``COATCHECK_…`` variables, each with the one that is probably meant, if any.

    Other programs read variables that begin with ``DEEPSET_``: of these, only near misses of an alias count.
    """
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | {CONFIG_VARIABLE}
    aliases = [name.upper() for name in PlanVariables.FIELDS]
    found: dict[str, str | None] = {}
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(_PLAN_PREFIX)
        if name != variable.upper() and name not in aliases and (near := get_close_matches(name, aliases, 1, 0.75)):
            found[variable] = f"{_PLAN_PREFIX}{near[0]}"
        if variable.upper().startswith(_PREFIX) and variable.upper() not in known and _HEADER not in variable:
            close = get_close_matches(variable.upper(), known, n=1, cutoff=0.75)
            found[variable] = close[0] if close else None
    return found


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    problems = []
    for fault in error.errors(include_input=False, include_url=False):
        name = str(fault["loc"][0]).lower().removeprefix("coatcheck_") if fault["loc"] else ""
        text = fault_text(fault)
        if fault["type"] == "extra_forbidden":
            parts = [known for known in Settings.model_fields if name and f"_{name}_" in f"_{known}_"]
            near = parts[:3] or get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(Settings.model_fields)}"
            text = f"there is no such setting; {hint}"
        problems.append(f"{name}{_source(name, values)}: {text}" if name else text)
    summary = "; ".join(problems)
    return f"Settings: {summary}" if summary.endswith("?") else f"Settings: {summary}."


def _source(name: str, values: Mapping[str, Any]) -> str:
    """Say which variable or line of the settings file a value is from; nothing for an argument of the constructor."""
    if name in values:
        return ""
    prefixes = (_PREFIX, _PLAN_PREFIX) if name in PlanVariables.FIELDS else (_PREFIX,)
    variable = variable_of(name, *prefixes)
    if variable is not None:
        return f" in {variable}"
    path = values.get(_FILE) or os.environ.get(CONFIG_VARIABLE)
    if not path:
        return ""
    starts = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[]=.]""", re.IGNORECASE)
    lines = read_user_file(Path(path)).decode("utf-8-sig").splitlines()
    line = next((number for number, text in enumerate(lines, 1) if starts.match(text)), None)
    return f" in {path}" + (f", line {line}" if line else "")
