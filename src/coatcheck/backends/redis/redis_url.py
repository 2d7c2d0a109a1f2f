"""Validates and parses a Redis URL before anything connects."""

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from coatcheck.backends.url_redaction import redact_url
from coatcheck.errors import SettingsError, excerpt

Topology: TypeAlias = Literal["server", "sentinel", "cluster"]

SCHEMES: dict[str, Topology] = {
    "redis": "server",
    "rediss": "server",
    "unix": "server",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
# Options after the ? with a plain value; the redis package would accept others and fail much later.
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
SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_LOCAL = re.compile(r"(?i)(localhost|127(\.[0-9]+){3}|\[::1\])?(:[0-9]+)?")
_ESCAPES = "In a user name or password write / as %2F, ? as %3F, # as %23, @ as %40 and : as %3A."


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The parts of a Redis URL."""

    topology: Topology  # one server, sentinels, or a cluster
    tls: bool
    # Keyword arguments for a connection pool of the redis package, among them the secrets. With several nodes, without
    # their hosts and ports.
    options: dict[str, Any]
    nodes: tuple[tuple[str, int], ...]  # hosts and ports of the sentinels, or of some nodes of the cluster
    service: str  # the primary's name at the sentinels
    sentinel_options: dict[str, str]  # the sentinels' own `username` and `password`
    where: str  # for messages: `host:port`, the path of the socket, or the names of all nodes
    secrets: tuple[str, ...]  # the secrets that messages must not contain

    def __repr__(self) -> str:
        return f"RedisAddress(where={self.where!r})"


def parse_redis_url(
    url: str, sentinel_username: str | None = None, sentinel_password: str | None = None
) -> RedisAddress:
    """Parse a URL, with the login at the sentinels if it has none; raises `SettingsError`, without the password."""
    from redis.connection import parse_url

    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise SettingsError(
            f"The Redis URL {redact_url(url)} has an unknown scheme. Use redis://host:port/0, unix:///path/to/socket, "
            "redis+sentinel://host:port,host:port/service or redis+cluster://host:port,host:port; "
            "rediss in place of redis for TLS."
        )
    topology, plain, service = SCHEMES[scheme], url, ""
    nodes: tuple[tuple[str, int], ...] = ()
    if topology != "server":
        plain, nodes, service = _split_nodes(url, scheme, rest)
    _check(url, plain)
    try:
        options: dict[str, Any] = dict(parse_url(plain))  # type: ignore[no-untyped-call]
    except ValueError:
        # The text of the error may quote a part of the password.
        raise malformed(url, "an option after the ? has a value of the wrong type") from None
    options.pop("connection_class", None)  # the sync one; each client chooses its own by the scheme
    given = {"sentinel_username": sentinel_username, "sentinel_password": sentinel_password}
    if topology != "sentinel" and any(given.values()):
        raise SettingsError("A user or password for sentinels goes with a redis+sentinel:// URL: this one is another.")
    sentinel_options = {
        name.removeprefix("sentinel_"): value for name in given if (value := options.pop(name, given[name]))
    }
    if topology == "cluster" and options.get("db"):
        raise malformed(url, "a cluster has no databases but 0")
    if topology != "server":
        options.pop("host", None)
        options.pop("port", None)
    secrets = tuple(
        str(found[name])
        for found, name in ((options, "password"), (options, "ssl_password"), (sentinel_options, "password"))
        if found.get(name)
    )
    where = _where(topology, options, nodes, service)
    return RedisAddress(
        topology, scheme.startswith("rediss"), options, nodes, service, sentinel_options, where, secrets
    )


def is_on_this_machine(url: str) -> bool:
    """Whether Redis is on this machine: a socket, or only local addresses."""
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        return True
    hosts = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")
    return all(_LOCAL.fullmatch(host) for host in hosts)


def malformed(url: str, why: str) -> SettingsError:
    """The error for an invalid URL, with the escapes of special characters."""
    return SettingsError(f"The Redis URL {redact_url(url)} is malformed: {why}. {_ESCAPES}")


def _split_nodes(url: str, scheme: str, rest: str) -> tuple[str, tuple[tuple[str, int], ...], str]:
    """Split the URL into that of one server, the nodes, and the service."""
    topology = SCHEMES[scheme]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    path, question, query = rest[len(authority) :].partition("?")
    credentials, at, hosts = authority.rpartition("@")
    if "@" in path:
        raise malformed(url, "it has a # or @ where none can be")
    service = ""
    if topology == "sentinel":
        _, _, path = path.partition("/")
        name, slash, database = path.partition("/")
        service, path = unquote(name), slash + database
        if not service:
            raise malformed(url, "it lacks the service, as in redis+sentinel://host:26379/mymaster")
    nodes = tuple(_node(url, host, _PORTS[topology]) for host in hosts.split(","))
    plain = f"{scheme.partition('+')[0]}://{credentials}{at}node{path}{question}{query}"
    return plain, nodes, service


def _node(url: str, text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"redis://{text}")
        host, port = parts.hostname or "", parts.port or port
    except ValueError:
        host = ""
    if not host:
        raise malformed(url, "a host or port cannot be read; write host:port,host:port")
    return host, port


def _check(url: str, plain: str) -> None:
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(plain)
        parts.port  # noqa: B018  (reading it is the check)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise malformed(url, "the host, the port or an option after the ? cannot be read") from None
    if parts.fragment or "@" in parts.query:
        raise malformed(url, "it has a # or @ where none can be")
    _check_path(url, parts)
    known = OPTIONS | SENTINEL_OPTIONS if SCHEMES[scheme] == "sentinel" else OPTIONS
    for name, _value in options:
        if name not in known and not (scheme.startswith("rediss") and name.startswith("ssl_")):
            raise malformed(url, f"the option {excerpt(name)} is not known here")


def _check_path(url: str, parts: SplitResult) -> None:
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            raise malformed(url, "the path of the socket must be absolute, as in unix:///path/to/socket")
        return
    database = unquote(parts.path).strip("/")
    if database and not (database.isascii() and database.isdecimal()):
        raise malformed(url, "the database after the last / is not a number")


def _where(topology: Topology, options: dict[str, Any], nodes: tuple[tuple[str, int], ...], service: str) -> str:
    if topology == "server":
        if "path" in options:
            return excerpt(str(options["path"]))
        return _shown(str(options.get("host", "localhost")), options.get("port", _PORTS["server"]))
    shown = ", ".join(_shown(host, port) for host, port in nodes)
    return f"{excerpt(service)} of sentinels {shown}" if topology == "sentinel" else f"cluster {shown}"


def _shown(host: str, port: int) -> str:
    return excerpt(f"[{host}]" if ":" in host else host) + f":{port}"
