"""A Redis URL, checked and taken apart before anything connects."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from coatcheck.backends.urls import redact_url
from coatcheck.errors import SettingsError, excerpt

SCHEMES = ("redis", "rediss", "unix")
_ESCAPES = "In a user name or password write / as %2F, ? as %3F, # as %23, @ as %40 and : as %3A."


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis URL leads.

    Attributes:
        options: Keyword arguments for a connection of the redis package, among them the secrets.
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
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError:
        # The text of the error may quote a piece of the password.
        raise _malformed(url, "an option after the ? has a value of the wrong type") from None
    for name in ("decode_responses", "connection_class"):
        if name in options and name != "connection_class":
            raise _malformed(url, f"the option {name} cannot be set here")
    secrets = tuple(str(options[name]) for name in ("password", "username", "ssl_password") if options.get(name))
    return RedisAddress(options, _where(options), secrets)


def unknown_option(url: str, error: TypeError) -> SettingsError:
    """The error for an option in ``url`` that no connection has, from the ``TypeError`` it led to."""
    names = [name for name, _ in parse_qsl(urlsplit(url).query) if f"'{name}'" in str(error)]
    which = f"the option {excerpt(names[0])}" if names else "an option after the ?"
    return _malformed(url, f"{which} is not known")


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
        if parts.query:
            parse_qsl(parts.query, strict_parsing=True)
    except ValueError:
        raise _malformed(url, "the host, the port or an option after the ? cannot be read") from None
    if parts.fragment or "@" in parts.query or "@" in parts.path:
        raise _malformed(url, "it has a # or @ where none can be")
    if scheme == "unix" and not parts.path.strip("/"):
        raise _malformed(url, "the path of the socket is missing")
    database = unquote(parts.path).strip("/")
    if scheme != "unix" and database and not database.isdecimal():
        raise _malformed(url, "the database after the last / is not a number")


def _where(options: dict[str, Any]) -> str:
    if "path" in options:
        return excerpt(str(options["path"]))
    host = str(options.get("host", "localhost"))
    return excerpt(f"[{host}]" if ":" in host else host) + f":{options.get('port', 6379)}"


def _malformed(url: str, why: str) -> SettingsError:
    return SettingsError(f"The Redis URL {redact_url(url)} is malformed: {why}. {_ESCAPES}")
