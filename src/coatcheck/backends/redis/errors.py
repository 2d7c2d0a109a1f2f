"""The errors of Redis: what happened, and what to do."""

import socket
import ssl
from collections.abc import Iterator

from coatcheck.errors import ObjectStoreUnavailable, quoted

_DETAIL = 200
_AGAIN = " The object store is unavailable for now; try again in a moment."

# Kind → what happened and what to do now.
_TEXTS = {
    "refused": "refused the connection: nothing listens there. Start the server or correct the address.",
    "unknown_host": "cannot be found: the host name does not resolve. Correct the host in the Redis URL.",
    "no_socket": "cannot be reached: there is no such socket. Start the server or correct the path.",
    "not_permitted": "cannot be reached: this process may not open the socket. Check its permissions.",
    "tls": "did not agree on TLS. Check that the server speaks TLS (rediss://), that its certificate is trusted and "
    "for this host, and that it gets a client certificate if it requires one.",
    "connect_timeout": "did not accept a connection in time. Check the address, the network, the firewall, and TLS (rediss://).",
    "timeout": "did not answer in time. It may be overloaded or stuck, or need more time (redis_timeout).",
    "busy": "has no free connection left in this process. Allow more connections (?max_connections= in the Redis URL).",
    "dropped": "dropped the connection. Check that it is running, that the Redis URL begins with rediss exactly if it "
    "uses TLS, and that it gets a client certificate if it requires one.",
    "authentication": "did not accept the credentials. Check the user and password in the Redis URL.",
    "permission": "does not let this user run the command or use the key. Check the user's rights.",
    "full": "has no memory left (maxmemory). Let it evict old keys (maxmemory-policy), or give it more memory.",
    "read_only": "is a read-only replica. Point the Redis URL at the primary.",
    "loading": "is still loading its data.",
    "disk": "refuses writes because it cannot save to disk. Look at its log and its disk.",
    "cluster": "is a node of a cluster. Write redis+cluster:// in the Redis URL.",
    "no_cluster": "is not in cluster mode. Write redis:// in the Redis URL.",
    "slots": "has slots without a node at the moment: a node is away, and no replica has taken its place yet.",
    "moving": "is moving the slot of this key to another node.",
    "no_primary": "is not there: no sentinel names a working primary. Check the service's name, or the primary.",
    "no_sentinel": "cannot be found: no sentinel answers. Start the sentinels or correct their addresses.",
    "sentinel_authentication": (
        "cannot be found: the sentinels did not accept the credentials. "
        "Check redis_sentinel_username and redis_sentinel_password."
    ),
    "database": "does not have the database number of the Redis URL. Correct the number.",
    "failed": "could not do what was asked.",
}

# What passes on its own, or once the operator has acted; the rest is wrong with the settings.
_PASSING = frozenset(
    {
        *("refused", "unknown_host", "no_socket", "connect_timeout", "timeout", "busy", "dropped"),
        *("full", "read_only", "loading", "disk", "slots", "moving", "no_primary", "no_sentinel"),
    }
)
# Errors from the server itself, which is therefore reachable and fast.
_ANSWERED = frozenset(
    {
        *("authentication", "permission", "full", "read_only", "loading", "disk", "database", "failed", "busy"),
        *("cluster", "no_cluster", "moving", "sentinel_authentication"),
    }
)

# The first word of an error reply → kind. https://redis.io/docs/latest/develop/reference/protocol-spec/
_REPLIES = {
    "NOAUTH": "authentication",
    "WRONGPASS": "authentication",
    "NOPERM": "permission",
    "OOM": "full",
    "READONLY": "read_only",
    "MASTERDOWN": "loading",
    "LOADING": "loading",
    "MISCONF": "disk",
    "MOVED": "cluster",
    "ASK": "cluster",
    "TRYAGAIN": "moving",
    "CLUSTERDOWN": "slots",
}

# The client's own texts and those of replies whose first word it has cut off → kind.
_PHRASES = {
    "no connection available": "busy",
    "too many connections": "busy",
    "max number of clients reached": "busy",
    "timeout connecting": "connect_timeout",
    "authentication required": "authentication",
    "password": "authentication",
    "auth": "authentication",
    "is loading": "loading",
    "read only": "read_only",
    "command not allowed when used memory": "full",
    "db index is out of range": "database",
    "connection closed by server": "dropped",
    "connection reset": "dropped",
}


class RedisUnavailable(ObjectStoreUnavailable):
    """A Redis operation failed.

    Attributes:
        address: ``host:port``, the path of the socket, or the names of the sentinels or nodes.
        kind: The kind of error, one word: refused, unknown_host, no_socket, not_permitted, tls, connect_timeout,
            timeout, busy, dropped, authentication, permission, full, read_only, loading, disk, cluster, no_cluster,
            slots, moving, no_primary, no_sentinel, sentinel_authentication, database, failed.
        answered: Whether Redis itself has refused, or no request was sent, as opposed to no response.
    """

    def __init__(self, address: str, kind: str, detail: str = "") -> None:
        self.address = address
        self.kind = kind
        self.answered = kind in _ANSWERED
        reason = f"{_TEXTS[kind]}{_AGAIN if kind in _PASSING else ''}"
        text = f"The object store at {address} {reason}"
        full = f"{text} It said: {quoted(detail, _DETAIL)}" if detail else text
        super().__init__(full, f"The object store {reason}")


class ErrorTranslator:
    """Translates the errors of the redis package.

    Args:
        address: As in `RedisUnavailable`.
        secrets: The secrets that texts must not contain.

    Attributes:
        address: As in `RedisUnavailable`.
        errors: The exceptions to catch.
    """

    def __init__(self, address: str, secrets: tuple[str, ...]) -> None:
        from redis.exceptions import RedisClusterException, RedisError

        self.address = address
        self.errors = (RedisError, RedisClusterException, OSError)
        self._secrets = tuple(secret for secret in secrets if secret)

    def translate(self, error: Exception) -> RedisUnavailable:
        """What ``error`` means."""
        kind = _error_kind(error)
        detail = str(error) if kind == "failed" and self.shown(error) else ""
        return RedisUnavailable(self.address, kind, detail)

    def shown(self, error: Exception) -> Exception | None:
        """``error`` unless it contains a secret: tracebacks show causes, and old servers quote the whole AUTH."""
        text = str(error)
        return None if any(secret in text for secret in self._secrets) else error


def _error_kind(error: BaseException) -> str:
    from redis import exceptions

    if kind := _group_kind(error):
        return kind
    text = str(error)
    first_word = text.partition(" ")[0]
    if first_word in _REPLIES:
        return _REPLIES[first_word]
    by_type: tuple[tuple[type[Exception], str], ...] = (
        (exceptions.AuthenticationError, "authentication"),
        (exceptions.NoPermissionError, "permission"),
        (exceptions.ReadOnlyError, "read_only"),
        (exceptions.BusyLoadingError, "loading"),
        (exceptions.ClusterDownError, "slots"),
        (exceptions.TryAgainError, "moving"),
        (exceptions.ClusterError, "moving"),  # followed as often as it may be
        (exceptions.AskError, "cluster"),
    )
    for error_type, kind in by_type:
        if isinstance(error, error_type):
            return kind
    for phrase, kind in _PHRASES.items():
        if phrase in text.lower():
            return kind
    for cause in _causes(error):
        if isinstance(cause, OSError):
            return _socket_error_kind(cause)
    if isinstance(error, exceptions.TimeoutError):
        return "timeout"
    return "dropped" if isinstance(error, exceptions.ConnectionError) else "failed"


def _group_kind(error: BaseException) -> str | None:
    """The kind of an error of the clients for sentinels and clusters, by the package's texts."""
    from redis import exceptions

    text = str(error)
    if text.startswith("No master found"):
        _, separator, reasons = text.partition(" : ")
        if not separator:
            return "no_primary"
        return "sentinel_authentication" if "Authentication" in reasons or "auth" in reasons else "no_sentinel"
    if text.startswith("unknown command") and "SENTINEL" in text:
        return "no_sentinel"
    if not isinstance(error, exceptions.RedisClusterException):
        return None
    if isinstance(error, exceptions.SlotNotCoveredError) or "not covered" in text:
        return "slots"
    if "not enabled" in text:
        return "no_cluster"
    return None if error.__cause__ is None else _error_kind(error.__cause__)


def _socket_error_kind(error: OSError) -> str:
    by_type: tuple[tuple[type[OSError], str], ...] = (
        (ssl.SSLError, "tls"),
        (socket.gaierror, "unknown_host"),
        (ConnectionRefusedError, "refused"),
        (FileNotFoundError, "no_socket"),
        (PermissionError, "not_permitted"),
        (TimeoutError, "timeout"),
        (ConnectionError, "dropped"),
    )
    for error_type, kind in by_type:
        if isinstance(error, error_type):
            return kind
    # asyncio joins the failures of several addresses of a host into one error without an error number.
    return "refused" if "Connect call failed" in str(error) else "connect_timeout"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and its causes, the nearest first; bounded, because chains can be circular."""
    current: BaseException | None = error
    for _ in range(8):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
