"""Clients of the redis package for one server, for sentinels, and for a cluster.

Each class creates and closes the synchronous client and those of the event loops, and names the servers to scan.
Nothing connects before the first operation.
"""

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from coatcheck.backends.redis.async_connections import RETRIES, Connections
from coatcheck.backends.redis.operation_deadline import Budget, with_deadline
from coatcheck.backends.redis.redis_url import RedisAddress

if TYPE_CHECKING:
    import redis as redis_package

PAUSES = (0.2, 0.02)
"""Maximum and first delay of a retry in seconds; the delay doubles."""

SENTINEL_SHARE = 0.25
"""Fraction of an operation's time for one sentinel, so that a hanging one leaves time for the next."""


class RedisClients(ABC):
    """Creates and caches the clients for one address."""

    def __init__(self, address: RedisAddress, options: dict[str, Any], budget: Budget) -> None:
        self.address = address
        self.options = options
        self.budget = budget
        # Asynchronous operations have a common deadline, and are limited before they request a connection: the
        # package's own timeouts for each step would only cost time.
        self.async_options = {name: value for name, value in options.items() if name != "timeout"}
        self.async_options["socket_timeout"] = None

    @abstractmethod
    def check(self) -> None:
        """Raise ``TypeError`` or ``ValueError`` if no connection can be created with the options; opens none."""

    @abstractmethod
    def client(self) -> "redis_package.Redis":
        """The synchronous client, for all threads."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections of the synchronous client; it opens new ones at the next use."""

    def close_idle(self) -> None:  # noqa: B027  (a cluster's client does it on its own)
        """Close idle connections after one did not answer: the others may be dead too."""

    @abstractmethod
    def new_async(self) -> Any:
        """A client for the running event loop: it has ``execute_command``."""

    @abstractmethod
    async def aclose(self, client: Any) -> None:
        """Close the connections of a client of the running event loop."""

    async def aclose_idle(self, client: Any) -> None:  # noqa: B027
        """As ``close_idle``, for a client of the running event loop."""

    def places(self) -> Sequence[Any]:
        """The servers to scan; `scan` takes one of them."""
        return (None,)

    async def aplaces(self, client: Any) -> Sequence[Any]:
        """As ``places``."""
        del client
        return (None,)

    def scan(self, place: Any, cursor: int, pattern: bytes, count: int) -> tuple[int, list[bytes]]:
        """One step of SCAN: the next cursor, and names."""
        del place
        answer: Any = self.client().scan(cursor, match=pattern, count=count)
        return int(answer[0]), answer[1]

    async def ascan(self, client: Any, place: Any, cursor: int, pattern: bytes, count: int) -> tuple[int, list[bytes]]:
        """As ``scan``."""
        del place
        cursor, found = await client.execute_command("SCAN", cursor, "MATCH", pattern, "COUNT", count)
        return int(cursor), found


class PooledClients(RedisClients):
    """The common part for one server and sentinels: a client with one connection pool."""

    _client: "redis_package.Redis | None" = None

    def client(self) -> "redis_package.Redis":
        """The synchronous client; concurrent threads get the same one."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    @abstractmethod
    def new_client(self) -> "redis_package.Redis":
        """Create the synchronous client."""

    def check(self) -> None:
        """Create the client and a connection that is not opened."""
        pool = self.client().connection_pool
        pool.connection_class(**pool.connection_kwargs)

    def close(self) -> None:
        """Close the connections."""
        self.client().connection_pool.disconnect()

    def close_idle(self) -> None:
        """Close idle connections."""
        self.client().connection_pool.disconnect(inuse_connections=False)

    async def aclose(self, client: Any) -> None:
        """Close the connections."""
        await client.close()

    async def aclose_idle(self, client: Any) -> None:
        """Close idle connections."""
        await client.close_idle()


class ServerClients(PooledClients):
    """Clients of one server."""

    def new_client(self) -> "redis_package.Redis":
        """Create the synchronous client."""
        from redis import BlockingConnectionPool, Redis
        from redis import connection as kinds

        return Redis(
            connection_pool=BlockingConnectionPool(  # type: ignore[no-untyped-call]
                connection_class=with_deadline(self.budget, self._kind(kinds)), retry=new_retry(), **self.options
            )
        )

    def new_async(self) -> Connections:
        """Create a client for the running event loop."""
        from redis.asyncio import ConnectionPool
        from redis.asyncio import connection as kinds

        return Connections(
            ConnectionPool(connection_class=self._kind(kinds), retry=new_async_retry(0), **self.async_options)
        )

    def _kind(self, kinds: Any) -> Any:
        if "path" in self.options:
            return kinds.UnixDomainSocketConnection
        return kinds.SSLConnection if self.address.tls else kinds.Connection


class SentinelClients(PooledClients):
    """Clients of a service with sentinels: each new connection queries them for the primary."""

    # The options of connections to the primary that also apply to sentinels.
    _PASSED_ON: ClassVar = ("health_check_interval", "protocol", "driver_info", "lib_name", "lib_version")

    def __init__(self, address: RedisAddress, options: dict[str, Any], budget: Budget) -> None:
        super().__init__(address, options, budget)
        share = SENTINEL_SHARE * float(options["socket_timeout"])
        self._sentinel_options = {
            **{name: options[name] for name in options if name in self._PASSED_ON or name.startswith("ssl_")},
            **address.sentinel_options,
            "socket_timeout": share,
            "socket_connect_timeout": share,
            "max_connections": options["max_connections"],
            "timeout": share,
        }

    def new_client(self) -> "redis_package.Redis":
        """Create the synchronous client."""
        from redis import BlockingConnectionPool, Redis, sentinel
        from redis import connection as kinds

        sentinels: Any = sentinel

        class Pool(sentinels.SentinelConnectionPool, BlockingConnectionPool):  # type: ignore[misc]
            """Asks sentinels, and waits for a free connection."""

        managed = sentinels.SentinelManagedSSLConnection if self.address.tls else sentinels.SentinelManagedConnection
        asking = with_deadline(self.budget, kinds.SSLConnection if self.address.tls else kinds.Connection)

        class Manager(sentinels.Sentinel):  # type: ignore[misc]
            """Asks one sentinel after the other."""

            def discover_master(self, service_name: str) -> Any:
                asking = _with_own_order(self)
                primary = super(Manager, asking).discover_master(service_name)
                self.sentinels = asking.sentinels
                return primary

        manager = Manager([])
        manager.sentinels = [
            Redis(
                connection_pool=BlockingConnectionPool(  # type: ignore[no-untyped-call]
                    connection_class=asking, host=host, port=port, retry=new_retry(0), **self._sentinel_options
                )
            )
            for host, port in self.address.nodes
        ]
        return Redis(
            connection_pool=Pool(  # type: ignore[no-untyped-call]
                self.address.service,
                manager,
                connection_class=with_deadline(self.budget, managed),
                retry=new_retry(),
                **self.options,
            )
        )

    def new_async(self) -> Connections:
        """Create a client for the running event loop."""
        from redis.asyncio import BlockingConnectionPool, Redis, sentinel
        from redis.asyncio import connection as kinds

        sentinels: Any = sentinel
        asking = kinds.SSLConnection if self.address.tls else kinds.Connection

        class Manager(sentinels.Sentinel):  # type: ignore[misc]
            """Asks one sentinel after the other."""

            async def discover_master(self, service_name: str) -> Any:
                asking = _with_own_order(self)
                primary = await super(Manager, asking).discover_master(service_name)
                self.sentinels = asking.sentinels
                return primary

        manager = Manager([])
        manager.sentinels = [
            Redis(
                connection_pool=BlockingConnectionPool(
                    connection_class=asking, host=host, port=port, retry=new_async_retry(0), **self._sentinel_options
                )
            )
            for host, port in self.address.nodes
        ]
        return Connections(
            sentinels.SentinelConnectionPool(
                self.address.service,
                manager,
                connection_class=(
                    sentinels.SentinelManagedSSLConnection if self.address.tls else sentinels.SentinelManagedConnection
                ),
                retry=new_async_retry(0),
                **self.async_options,
            )
        )

    def close(self) -> None:
        """Close the connections, including those to the sentinels."""
        super().close()
        pool: Any = self.client().connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            sentinel.connection_pool.disconnect()

    async def aclose(self, client: Any) -> None:
        """Close the connections, including those to the sentinels."""
        await super().aclose(client)
        for sentinel in client.pool.sentinel_manager.sentinels:
            await sentinel.connection_pool.disconnect()


def _with_own_order(manager: Any) -> Any:
    """Return a copy whose order of sentinels can change.

    The package swaps two entries of a list that all callers share. Two concurrent callers duplicated one sentinel and
    lost the other: it was never asked again, and its connections were never closed.
    """
    asking = copy.copy(manager)
    asking.sentinels = list(manager.sentinels)
    return asking


def new_retry(times: int = RETRIES) -> Any:
    """The retry policy of synchronous commands."""
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.retry import Retry

    return Retry(ExponentialBackoff(*PAUSES), times, supported_errors=(RedisConnectionError,))


def new_async_retry(times: int = RETRIES) -> Any:
    """The retry policy of asynchronous commands."""
    from redis.asyncio.retry import Retry
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError

    return Retry(ExponentialBackoff(*PAUSES), times, supported_errors=(RedisConnectionError,))


def unnamed() -> dict[str, None]:
    """Options that disable ``CLIENT SETINFO``, which needs two more round trips and a permission."""
    from redis.connection import AbstractConnection

    names = inspect.signature(AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in names else {"lib_name": None, "lib_version": None}
