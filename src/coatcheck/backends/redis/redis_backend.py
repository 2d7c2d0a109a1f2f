"""The backend that stores objects in Redis, Valkey or a compatible server."""

import io
import math
import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import anyio.to_thread

from coatcheck.backends.base import Backend, keys_of
from coatcheck.backends.object_ids import uuid_id
from coatcheck.backends.redis.cluster import ClusterClients
from coatcheck.backends.redis.errors import ErrorTranslator
from coatcheck.backends.redis.loop_clients import LoopClients
from coatcheck.backends.redis.operation_deadline import Budget
from coatcheck.backends.redis.redis_clients import RedisClients, SentinelClients, ServerClients, unnamed
from coatcheck.backends.redis.redis_url import RedisAddress, malformed, parse_redis_url
from coatcheck.errors import MissingExtra, SettingsError, require_numbers
from coatcheck.user_folders import expand_home, why_no_file

# Larger values are transferred in a worker thread in chunks of this size; see docs/decisions/backends.md.
PIECE_BYTES = 4 * 2**20
_SCAN_COUNT = 500
_HEALTH_CHECK_SECONDS = 30
_SHORTEST_SECONDS = 0.001
_KINDS: dict[str, type[RedisClients]] = {
    "server": ServerClients,
    "sentinel": SentinelClients,
    "cluster": ClusterClients,
}
_LONGEST_TTL_MS = 10**15  # some 30 000 years; the server refuses what overflows its clock


class _Names:
    """Converts the names of SCAN to keys, each once: SCAN may return one several times."""

    def __init__(self, prefix_length: int) -> None:
        self._prefix_length = prefix_length
        self._seen: set[bytes] = set()

    def new(self, found: Iterable[Any]) -> Iterator[str]:
        names = [name for name in dict.fromkeys(found) if name not in self._seen]
        self._seen.update(names)
        return keys_of(name[self._prefix_length :] for name in names)


class RedisBackend(Backend):
    """Stores objects in Redis, with its expiry; the bound is the server's ``maxmemory``.

    Nothing connects before the first operation. A failed operation raises `RedisUnavailable`,
    an `ObjectStoreUnavailable` that names the address and the kind of error, never a password. A lost
    connection is replaced and the operation retried, at most twice; an operation that timed out is not retried.

    Values over 4 MiB are read and written in a worker thread, in chunks, so that the event loop is not blocked.
    Synchronous and asynchronous operations have separate connections, the asynchronous ones for each event loop. Those
    are closed by ``aclose()`` in their loop, and automatically when the loop ends as with ``asyncio.run``.

    Args:
        redis_url: ``redis://[[user]:password@]host[:port][/db]``, ``unix://[[user]:password@]/path/to/socket[?db=0]``,
            ``redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/service[/db]`` or
            ``redis+cluster://[[user]:password@]host[:port][,host[:port]…]``; ``rediss…`` for TLS. Connection options of
            the redis package with plain values, such as ``socket_timeout``, may follow a ``?`` and override the
            arguments below.
        prefix: The prefix of each key in Redis. Backends with different prefixes can share a server; no prefix should
            be the start of another.
        max_connections: Maximum connections, for the synchronous form and for each event loop; further callers wait for
            up to half of ``timeout``.
        timeout: Maximum seconds of an operation, retries included; on a value over 4 MiB it may take longer as long as
            each MiB is transferred within this time.
        connect_timeout: Seconds of these for connecting; by default half of them.
        sentinel_username: With ``redis+sentinel://``, the user name at the sentinels.
        sentinel_password: With ``redis+sentinel://``, the password at the sentinels.
        ca_file: With ``rediss…``, the CA certificates (PEM) of the server; by default those of the system. The server's
            name is checked too, unless the URL has ``?ssl_check_hostname=false``.
        client_certificate: With ``rediss…``, the client certificate (PEM).
        client_key: The key of ``client_certificate``, if it is not in the same file.

    Raises:
        SettingsError: The URL is invalid.
        MissingExtra: The redis package is not installed.
        TypeError: ``max_connections`` or a timeout is not a number.
        ValueError: One is too small or not finite.
    """

    shared = True

    def __init__(
        self,
        redis_url: str,
        *,
        prefix: str = "coatcheck:",
        max_connections: int = 32,
        timeout: float = 0.8,
        connect_timeout: float | None = None,
        sentinel_username: str | None = None,
        sentinel_password: str | None = None,
        ca_file: Path | str | None = None,
        client_certificate: Path | str | None = None,
        client_key: Path | str | None = None,
    ) -> None:
        _require_redis()
        from redis import RedisError

        require_numbers("RedisBackend", 1, max_connections=max_connections)
        connecting = timeout if connect_timeout is None else connect_timeout
        require_numbers("RedisBackend", _SHORTEST_SECONDS, whole=False, timeout=timeout, connect_timeout=connecting)
        self._address: RedisAddress = parse_redis_url(redis_url, sentinel_username, sentinel_password)
        self._prefix = prefix.encode()
        options: dict[str, Any] = {
            "max_connections": max_connections,
            "timeout": timeout / 2,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout / 2 if connect_timeout is None else connect_timeout,
            "health_check_interval": _HEALTH_CHECK_SECONDS,
            "protocol": 2,  # the older version is supported by old servers and proxies too
            **({} if "path" in self._address.options else {"socket_keepalive": True}),
            **unnamed(),
            **_tls_options(ca_file, client_certificate, client_key, tls=self._address.tls),
            **self._address.options,
        }
        timeout = float(options["socket_timeout"])
        self._budget = Budget(timeout)
        self._clients = _KINDS[self._address.topology](self._address, options, self._budget)
        try:
            self._clients.check()
        except (TypeError, ValueError, RedisError):
            raise malformed(redis_url, "a connection cannot be created with the options after the ?") from None
        self._translator = ErrorTranslator(self._address.where, self._address.secrets)
        self._loops = LoopClients(
            self._clients,
            self._translator,
            most=int(options["max_connections"]),
            timeout=timeout,
            turn_timeout=float(options["timeout"]),
        )

    def __repr__(self) -> str:
        return f"RedisBackend({self._address.where!r}, prefix={self._prefix.decode()!r})"

    def generate_id(self) -> str:
        """``obj_`` and a random UUID."""
        return uuid_id()

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Store ``value`` under ``key``; its time to live is rounded up to a millisecond."""
        with self._operation():
            self._clients.client().set(self._name(key), value, px=_milliseconds(ttl_seconds))

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or ``None``."""
        name = self._name(key)
        with self._operation():
            found = self._first(name, PIECE_BYTES)
            return self._whole(name) if found and len(found) == PIECE_BYTES else found

    def delete(self, key: str) -> bool:
        """Delete ``key``; return whether it existed. Redis frees the memory in the background."""
        with self._operation():
            return bool(self._clients.client().unlink(self._name(key)))

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes under ``key``, or ``None``."""
        with self._operation():
            return self._first(self._name(key), n)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``; Redis scans all its keys for this, in steps."""
        pattern, names = self._pattern(prefix), _Names(len(self._prefix))
        with self._operation():
            places = self._clients.places()
        for place in places:
            cursor = 0
            while True:
                with self._operation():
                    cursor, found = self._clients.scan(place, cursor, pattern, _SCAN_COUNT)
                yield from names.new(found)
                if cursor == 0:
                    break

    def ping(self) -> None:
        """Return if Redis is available and accepts the credentials, else raise `RedisUnavailable`."""
        with self._operation():
            self._clients.client().ping()

    def close(self) -> None:
        """Close the connections of the synchronous form; a later operation opens new ones."""
        self._clients.close()

    async def aset(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """As ``set``."""
        if len(value) > PIECE_BYTES:
            await anyio.to_thread.run_sync(self.set, key, value, ttl_seconds)
            return
        lifetime = () if ttl_seconds is None else ("PX", _milliseconds(ttl_seconds))
        await self._loops.run(_execute, "SET", self._name(key), value, *lifetime)

    async def aget(self, key: str) -> bytes | None:
        """As ``get``."""
        found = await self.ahead(key, PIECE_BYTES)
        return await anyio.to_thread.run_sync(self.get, key) if found and len(found) == PIECE_BYTES else found

    async def adelete(self, key: str) -> bool:
        """As ``delete``."""
        return bool(await self._loops.run(_execute, "UNLINK", self._name(key)))

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As ``head``."""
        return await self._loops.run(_afirst, self._name(key), n)

    async def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As ``scan``."""
        pattern, names = self._pattern(prefix), _Names(len(self._prefix))
        places = await self._loops.run(self._clients.aplaces)
        for place in places:
            cursor = 0
            while True:
                cursor, found = await self._loops.run(self._clients.ascan, place, cursor, pattern, _SCAN_COUNT)
                for key in names.new(found):
                    yield key
                if cursor == 0:
                    break

    async def aping(self) -> None:
        """As ``ping``."""
        await self._loops.run(_execute, "PING")

    async def aclose(self) -> None:
        """As ``close``, including the connections of the running event loop."""
        self.close()
        await self._loops.aclose()

    def _first(self, name: bytes, n: int) -> bytes | None:
        # The range of a missing key and that of an empty value are both empty; and 0 to -1 would be everything.
        found = b""
        with _ignoring_other_types():
            found = cast("bytes", self._clients.client().getrange(name, 0, n - 1)) if n > 0 else b""
        return found if found or self._clients.client().exists(name) else None

    def _whole(self, name: bytes) -> bytes | None:
        """A large value, read in chunks of one transaction: copies of the whole would block all other threads."""
        from redis.exceptions import AskError

        client = self._clients.client()
        while size := client.strlen(name):
            try:
                with client.pipeline(transaction=True) as pipeline:
                    for start in range(0, size, PIECE_BYTES):
                        pipeline.getrange(name, start, start + PIECE_BYTES - 1)
                    pipeline.strlen(name)
                    *pieces, size_then = pipeline.execute()
            except AskError:  # its slot is being moved to another node, which only a single command can follow
                return cast("bytes", client.getrange(name, 0, -1)) or self._first(name, 1)
            if size_then == size:
                joined = io.BytesIO()
                for piece in pieces:  # one by one, so that other threads can run in between
                    joined.write(piece)
                return joined.getvalue()  # its own memory, not a copy
        return self._first(name, 1)

    @contextmanager
    def _operation(self) -> Iterator[None]:
        """One synchronous operation with its deadline and our errors."""
        try:
            with self._budget.running():
                yield
        except self._translator.errors as error:
            unavailable = self._translator.translate(error)
            if unavailable.kind == "timeout":
                self._clients.close_idle()
            raise unavailable from self._translator.shown(error)

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _pattern(self, prefix: str) -> bytes:
        return re.sub(rb"([\\*?\[\]])", rb"\\\1", self._name(prefix)) + b"*"


def _execute(client: Any, *command: Any) -> Awaitable[Any]:
    answer: Awaitable[Any] = client.execute_command(*command)
    return answer


async def _afirst(client: Any, name: bytes, n: int) -> bytes | None:
    found = b""
    with _ignoring_other_types():
        found = await client.execute_command("GETRANGE", name, 0, n - 1) if n > 0 else b""
    return found if found or await client.execute_command("EXISTS", name) else None


@contextmanager
def _ignoring_other_types() -> Iterator[None]:
    """Treat a list, hash or set that another program stored under our key as an empty value."""
    from redis.exceptions import ResponseError

    try:
        yield
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise


def _milliseconds(ttl_seconds: float | None) -> int | None:
    if ttl_seconds is None:
        return None
    return math.ceil(max(1.0, min(ttl_seconds * 1000, _LONGEST_TTL_MS)))


def _tls_options(
    ca_file: Path | str | None, client_certificate: Path | str | None, client_key: Path | str | None, *, tls: bool
) -> dict[str, Any]:
    given = {"ssl_ca_certs": ca_file, "ssl_certfile": client_certificate, "ssl_keyfile": client_key}
    files = {name: expand_home(Path(path)) for name, path in given.items() if path is not None}
    if not tls:
        if files:
            raise SettingsError("A CA file or client certificate goes with a rediss:// URL: this one is without TLS.")
        return {}
    for path in files.values():
        if not path.is_file():
            raise SettingsError(f"The file {path} for TLS with Redis {why_no_file(path)}.")
    return {"ssl_check_hostname": True, **{name: str(path) for name, path in files.items()}}


def _require_redis() -> None:
    try:
        import redis  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            "The Redis backend needs the redis package. Install it with: pip install 'coatcheck[redis]'"
        ) from error
