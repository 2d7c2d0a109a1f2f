"""The backend that keeps objects in Redis, or in Valkey and others that speak its protocol."""

import asyncio
import io
import math
import re
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio.to_thread

from coatcheck.backends.redis_clients import RedisClients, SentinelClients, ServerClients, unnamed
from coatcheck.backends.redis_cluster import ClusterClients
from coatcheck.backends.redis_deadlines import Budget
from coatcheck.backends.redis_errors import RedisUnavailable, shows, unavailable
from coatcheck.backends.redis_url import RedisAddress, malformed, parse_redis_url
from coatcheck.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    import redis.asyncio as redis_asyncio

# Values over this go to and fro in a worker thread and in pieces of this size; see docs/decisions/backends.md.
PIECE_BYTES = 4 * 2**20
_SCAN_COUNT = 500
_HEALTH_CHECK_SECONDS = 30
_KINDS: dict[str, type[RedisClients]] = {
    "server": ServerClients,
    "sentinel": SentinelClients,
    "cluster": ClusterClients,
}
_LONGEST_TTL_MS = 10**15  # some 30 000 years; the server refuses what overflows its clock


@dataclass(slots=True)
class _LoopClient:
    """The client of one event loop, the generator whose end closes it, and who closes idle connections just now."""

    client: "redis_asyncio.Redis"
    guard: AsyncGenerator[None, None]
    healing: "asyncio.Task[None] | None" = None

    def heal(self, clients: RedisClients) -> None:
        """Close idle connections, in the background: whoever waited for an answer has waited long enough."""
        if self.healing is None or self.healing.done():
            self.healing = asyncio.create_task(clients.aheal(self.client))


class _Names:
    """Turns what SCAN names into keys, each once: SCAN may name one several times."""

    def __init__(self, prefix_length: int) -> None:
        self._prefix_length = prefix_length
        self._seen: set[bytes] = set()

    def new(self, found: Iterable[Any]) -> Iterator[str]:
        for name in found:
            if name not in self._seen:
                self._seen.add(name)
                yield name[self._prefix_length :].decode("utf-8", "surrogatepass")


class RedisBackend:
    """Keeps objects in Redis, with its own expiry; bounds are the server's ``maxmemory``.

    Nothing connects before the first operation. An operation that Redis does not carry out raises `RedisUnavailable`,
    an `ObjectStoreUnavailable` that names the address and the kind of trouble and never a password. A connection that
    has died is replaced and the operation tried again, twice at most; one that timed out is not.

    Values over 4 MiB are read and written in a worker thread, in pieces, so that the event loop goes on meanwhile.
    Synchronous and asynchronous operations have connections of their own, the asynchronous ones per event loop. Those
    are closed by ``aclose()`` in their loop, and by themselves when the loop ends as ``asyncio.run`` ends it.

    Args:
        redis_url: ``redis://[[user]:password@]host[:port][/db]``, ``unix://[[user]:password@]/path/to/socket[?db=0]``,
            ``redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/service[/db]`` or
            ``redis+cluster://[[user]:password@]host[:port][,host[:port]…]``; ``rediss…`` for TLS. Connection options of the redis package with plain
            values, such as ``socket_timeout``, may follow a ``?`` and go before the arguments below.
        prefix: What stands before each key in Redis. Backends with different prefixes share a server; no prefix
            should be the beginning of another.
        max_connections: Most connections at a time, for the synchronous form and for each event loop; who needs one
            more waits for up to half of ``timeout``.
        timeout: Seconds an operation may take altogether, retries included; one on a value over 4 MiB may go on for as
            long as each MiB comes through in this time.
        connect_timeout: Seconds to wait for a connection, of these; without it half of them.
        sentinel_username: With ``redis+sentinel://``, our name at the sentinels; ``?sentinel_username=`` goes before it.
        sentinel_password: With ``redis+sentinel://``, our password at the sentinels, likewise.
        ca_file: With ``rediss…``, the certificates (PEM) that sign the server's; without it, those the system trusts.
            The server's name is checked too; only ``?ssl_check_hostname=false`` in the URL leaves that out.
        client_certificate: With ``rediss…``, our own certificate (PEM).
        client_key: The key of ``client_certificate``, if it is not in the same file.

    Raises:
        SettingsError: The URL cannot be used.
        MissingExtra: The redis package is not installed.
    """

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
        ca_file: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        _require_redis()
        from redis import RedisError

        self._address: RedisAddress = parse_redis_url(redis_url, sentinel_username, sentinel_password)
        self._prefix = prefix.encode()
        options: dict[str, Any] = {
            "max_connections": max_connections,
            "timeout": timeout / 2,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout / 2 if connect_timeout is None else connect_timeout,
            "health_check_interval": _HEALTH_CHECK_SECONDS,
            "protocol": 2,  # the older one is understood by old servers and by proxies too
            **({} if "path" in self._address.options else {"socket_keepalive": True}),
            **unnamed(),
            **_tls_options(ca_file, client_certificate, client_key, tls=self._address.tls),
            **self._address.options,
        }
        self._timeout = float(options["socket_timeout"])
        self._budget = Budget(self._timeout)
        self._clients = _KINDS[self._address.topology](self._address, options, self._budget)
        try:
            self._clients.check()
        except (TypeError, ValueError, RedisError):
            raise malformed(redis_url, "a connection cannot be made with the options after the ?") from None
        self._loop_clients: dict[asyncio.AbstractEventLoop, _LoopClient] = {}
        self._loops = threading.Lock()

    def __repr__(self) -> str:
        return f"RedisBackend({self._address.where!r}, prefix={self._prefix.decode()!r})"

    def generate_id(self) -> str:
        """``obj_`` and a random UUID."""
        return f"obj_{uuid.uuid4()}"

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Keep ``value`` under ``key``; its time to live is rounded up to a millisecond."""
        with self._operation():
            self._clients.client().set(self._name(key), value, px=_milliseconds(ttl_seconds))

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or ``None``."""
        name = self._name(key)
        with self._operation():
            found = self._first(name, PIECE_BYTES)
            return self._whole(name) if found and len(found) == PIECE_BYTES else found

    def delete(self, key: str) -> bool:
        """Remove ``key``; whether it was there. Redis frees the memory in the background."""
        with self._operation():
            return bool(self._clients.client().unlink(self._name(key)))

    def head(self, key: str, n: int) -> bytes | None:
        """The first ``n`` bytes under ``key``, or ``None``."""
        with self._operation():
            return self._first(self._name(key), n)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin with ``prefix``; Redis looks at every key it has for this, in steps."""
        pattern, names = self._pattern(prefix), _Names(len(self._prefix))
        with self._operation():
            places = self._clients.places()
        for place in places:
            cursor = 0
            while True:
                with self._operation():
                    cursor, found = self._clients.scan(place, cursor, match=pattern, count=_SCAN_COUNT)
                yield from names.new(found)
                if cursor == 0:
                    break

    def ping(self) -> None:
        """Return if Redis answers and accepts the credentials, else raise `RedisUnavailable`."""
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
        async with self._aoperation():
            await (await self._here()).set(self._name(key), value, px=_milliseconds(ttl_seconds))

    async def aget(self, key: str) -> bytes | None:
        """As ``get``."""
        found = await self.ahead(key, PIECE_BYTES)
        return await anyio.to_thread.run_sync(self.get, key) if found and len(found) == PIECE_BYTES else found

    async def adelete(self, key: str) -> bool:
        """As ``delete``."""
        async with self._aoperation():
            return bool(await (await self._here()).unlink(self._name(key)))

    async def ahead(self, key: str, n: int) -> bytes | None:
        """As ``head``."""
        name = self._name(key)
        async with self._aoperation():
            client = await self._here()
            found = cast("bytes", await client.getrange(name, 0, n - 1)) if n > 0 else b""
            return found if found or await client.exists(name) else None

    async def ascan(self, prefix: str) -> AsyncIterator[str]:
        """As ``scan``."""
        pattern, names = self._pattern(prefix), _Names(len(self._prefix))
        async with self._aoperation():
            places = await self._clients.aplaces(await self._here())
        for place in places:
            cursor = 0
            while True:
                async with self._aoperation():
                    client = await self._here()
                    cursor, found = await self._clients.ascan(client, place, cursor, match=pattern, count=_SCAN_COUNT)
                for key in names.new(found):
                    yield key
                if cursor == 0:
                    break

    async def aping(self) -> None:
        """As ``ping``."""
        async with self._aoperation():
            await (await self._here()).ping()

    async def aclose(self) -> None:
        """As ``close``, and also close the connections of the running event loop."""
        self.close()
        mine = self._loop_clients.get(asyncio.get_running_loop())
        if mine:
            await mine.guard.aclose()

    def _first(self, name: bytes, n: int) -> bytes | None:
        # The range of a missing key and that of an empty value are both empty; and 0 to -1 would be everything.
        found = cast("bytes", self._clients.client().getrange(name, 0, n - 1)) if n > 0 else b""
        return found if found or self._clients.client().exists(name) else None

    def _whole(self, name: bytes) -> bytes | None:
        """A large value, read in pieces but at one moment: whole copies of it would stop all other threads."""
        from redis.exceptions import AskError

        client = self._clients.client()
        while size := client.strlen(name):
            try:
                with client.pipeline(transaction=True) as pipeline:
                    for start in range(0, size, PIECE_BYTES):
                        pipeline.getrange(name, start, start + PIECE_BYTES - 1)
                    pipeline.strlen(name)
                    *pieces, size_then = pipeline.execute()
            except AskError:  # its slot is on its way to another node, where only a single command can follow
                return cast("bytes", client.getrange(name, 0, -1)) or self._first(name, 1)
            if size_then == size:
                joined = io.BytesIO()
                for piece in pieces:  # one by one, so that other threads have their turn between two
                    joined.write(piece)
                return joined.getvalue()  # its own memory, not a copy
        return self._first(name, 1)

    async def _here(self) -> "redis_asyncio.Redis":
        """The client of the running event loop: its connections cannot be used from another one."""
        loop = asyncio.get_running_loop()
        mine = self._loop_clients.get(loop)
        if mine is None:
            client = self._clients.new_async()
            mine = _LoopClient(client, self._until_closed(loop, client))
            with self._loops:
                for other in [other for other in self._loop_clients if other.is_closed()]:
                    del self._loop_clients[other]
                self._loop_clients[loop] = mine
            # Started here, the generator is known to the loop, which closes what it knows when it shuts down.
            await anext(mine.guard)
        return mine.client

    async def _until_closed(
        self, loop: asyncio.AbstractEventLoop, client: "redis_asyncio.Redis"
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._loops:
                self._loop_clients.pop(loop, None)
            await self._clients.aclose(client)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the redis package raises about the server into `RedisUnavailable`."""
        from redis.exceptions import RedisClusterException, RedisError

        try:
            yield
        except (RedisError, RedisClusterException, OSError) as error:
            translated = unavailable(error, self._address.where, self._address.secrets)
            # A traceback shows the cause too, and an old server quotes a whole AUTH command in its error.
            raise translated from None if shows(str(error), self._address.secrets) else error

    @contextmanager
    def _operation(self) -> Iterator[None]:
        """One synchronous operation: within its time, with errors of ours."""
        try:
            with self._translated(), self._budget.running():
                yield
        except RedisUnavailable as error:
            if error.trouble == "timeout":
                self._clients.heal()
            raise

    @asynccontextmanager
    async def _aoperation(self) -> AsyncIterator[None]:
        """One asynchronous operation: within its time, with errors of ours."""
        try:
            with self._translated():
                async with asyncio.timeout(self._timeout):
                    yield
        except RedisUnavailable as error:
            if error.trouble == "timeout" and (mine := self._loop_clients.get(asyncio.get_running_loop())):
                mine.heal(self._clients)
            raise

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _pattern(self, prefix: str) -> bytes:
        return re.sub(rb"([\\*?\[\]])", rb"\\\1", self._name(prefix)) + b"*"


def _milliseconds(ttl_seconds: float | None) -> int | None:
    if ttl_seconds is None:
        return None
    return math.ceil(max(1.0, min(ttl_seconds * 1000, _LONGEST_TTL_MS)))


def _tls_options(
    ca_file: Path | None, client_certificate: Path | None, client_key: Path | None, *, tls: bool
) -> dict[str, Any]:
    given = {"ssl_ca_certs": ca_file, "ssl_certfile": client_certificate, "ssl_keyfile": client_key}
    files = {name: path.expanduser() for name, path in given.items() if path is not None}
    if not tls:
        if files:
            raise SettingsError("A CA file or client certificate goes with a rediss:// URL: this one is without TLS.")
        return {}
    for path in files.values():
        if not path.is_file():
            raise SettingsError(f"The file {path} for TLS with Redis does not exist.")
    return {"ssl_check_hostname": True, **{name: str(path) for name, path in files.items()}}


def _require_redis() -> None:
    try:
        import redis  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            "The Redis backend needs the redis package. Install it with: pip install 'coatcheck[redis]'"
        ) from error
