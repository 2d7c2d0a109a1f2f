"""A Redis URL, checked and taken apart before anything connects."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from coatcheck.backends.urls import redact_url
from coatcheck.errors import SettingsError, excerpt

SCHEMES = ("redis", "rediss", "unix")
# Options after the ? that have a plain value; the redis package would take objects by name too and fail much later.
OPTIONS = frozenset(
    {
        "client_name",
        "db",
        "health_check_interval",
        "max_connections",
        "password",
        "protocol",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_read_size",
        "socket_timeout",
        "timeout",
        "username",
    }
)
_ESCAPES = "In a user name or password write / as %2F, ? as %3F, # as %23, @ as %40 and : as %3A."


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis URL leads.

    Attributes:
        options: Keyword arguments for a connection pool of the redis package, among them the secrets.
        where: ``host:port`` or the path of the socket, for messages.
        secrets: What messages must not show.
    """

    options: dict[str, Any]
    where: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"RedisAddress(where={self.where!r})"


def parse_redis_url(url: str) -> RedisAddress:
    """Take a ``redis://``, ``rediss://`` or ``unix://`` URL apart; raises `SettingsError`, without the password."""
    from redis.connection import parse_url

    _check(url)
    try:
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:
        # The text of the error may quote a piece of the password.
        raise malformed(url, "an option after the ? has a value of the wrong type") from None
    options.pop("connection_class", None)  # the sync one; each client chooses its own by the scheme
    secrets = tuple(str(options[name]) for name in ("password", "ssl_password") if options.get(name))
    return RedisAddress(options, _where(options), secrets)


def malformed(url: str, why: str) -> SettingsError:
    """The error for a URL that cannot be used, and how to write special characters."""
    return SettingsError(f"The Redis URL {redact_url(url)} is malformed: {why}. {_ESCAPES}")


def _check(url: str) -> None:
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise SettingsError(
            f"The Redis URL {redact_url(url)} has an unknown scheme. "
            "Use redis://host:port/0, rediss://host:port/0 (TLS) or unix:///path/to/socket."
        )
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (reading it is the check)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise malformed(url, "the host, the port or an option after the ? cannot be read") from None
    if parts.fragment or "@" in parts.query:
        raise malformed(url, "it has a # or @ where none can be")
    _check_path(url, parts)
    for name, _value in options:
        if name not in OPTIONS and not (scheme == "rediss" and name.startswith("ssl_")):
            raise malformed(url, f"the option {excerpt(name)} is not known here")


def _check_path(url: str, parts: SplitResult) -> None:
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            raise malformed(url, "the path of the socket must be absolute, as in unix:///path/to/socket")
        return
    database = unquote(parts.path).strip("/")
    if database and not (database.isascii() and database.isdecimal()):
        raise malformed(url, "the database after the last / is not a number")


def _where(options: dict[str, Any]) -> str:
    if "path" in options:
        return excerpt(str(options["path"]))
    host = str(options.get("host", "localhost"))
    return excerpt(f"[{host}]" if ":" in host else host) + f":{options.get('port', 6379)}"
