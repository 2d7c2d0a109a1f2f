"""Clients of the redis package for a cluster: each key is sent to the node that has its slot."""

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from coatcheck.backends.redis.operation_deadline import Budget, with_deadline
from coatcheck.backends.redis.redis_clients import RedisClients, new_async_retry, new_retry
from coatcheck.backends.redis.redis_url import RedisAddress

if TYPE_CHECKING:
    import redis as redis_package

NODE_SHARE = 0.7
"""Fraction of an operation's time for one node, so that a hanging one leaves time for its successor."""

_RETRIES = 4  # a node that fails costs one, and so does each connection that is closed because it failed
_EXTRA_CONNECTIONS = 2  # of each node, for learning which node has which slot


class ClusterClients(RedisClients):
    """Clients of a cluster. They discover the nodes of slots, and follow slots that move or fail over."""

    def __init__(self, address: RedisAddress, options: dict[str, Any], budget: Budget) -> None:
        super().__init__(address, options, budget)
        self._created: redis_package.RedisCluster | None = None
        self._making = threading.Lock()
        self._node_options = {
            **{name: value for name, value in options.items() if name not in {"db", "timeout", "max_connections"}},
            "socket_timeout": NODE_SHARE * float(options["socket_timeout"]),
        }

    def check(self) -> None:
        """Create a connection that is not opened."""
        from redis import connection as kinds

        kind = kinds.SSLConnection if self.address.tls else kinds.Connection
        kind(**self._node_options)
        if not int(self.options["max_connections"]) > 0:
            raise ValueError("max_connections must be positive")

    def client(self) -> Any:
        """The synchronous client; its creation requests all nodes from one of the cluster."""
        with self._making:
            if self._created is None:
                self._created = self._new_client()
            return self._created

    def _new_client(self) -> "redis_package.RedisCluster":
        from redis import BlockingConnectionPool, RedisCluster
        from redis import connection as kinds
        from redis.cluster import ClusterNode

        health_check_interval = self.options["health_check_interval"]

        class Pool(BlockingConnectionPool):
            """Waits for a free connection, and checks idle ones: the cluster does not forward these options."""

            def __init__(self, **options: Any) -> None:
                super().__init__(health_check_interval=health_check_interval, **options)  # type: ignore[no-untyped-call]

        kind = kinds.SSLConnection if self.address.tls else kinds.Connection
        host, port = self.address.nodes[0]
        return RedisCluster(
            # It accepts custom classes only together with a URL; everything else of the URL is in the options.
            url=f"redis://{f'[{host}]' if ':' in host else host}:{port}",
            startup_nodes=[ClusterNode(host, port) for host, port in self.address.nodes[1:]],  # type: ignore[no-untyped-call]
            connection_class=with_deadline(self.budget, kind),
            connection_pool_class=Pool,
            retry=new_retry(_RETRIES),
            require_full_coverage=False,
            **{
                **self._node_options,
                "max_connections": self.options["max_connections"],
                "timeout": self.options["timeout"],
            },
        )

    def close(self) -> None:
        """Close the connections."""
        with self._making:
            client, self._created = self._created, None
        if client is not None:
            client.close()

    def new_async(self) -> Any:
        """Create a client for the running event loop."""
        from redis.asyncio import RedisCluster
        from redis.asyncio.cluster import ClusterNode
        from redis.exceptions import ClusterError
        from redis.exceptions import ConnectionError as ConnectionLost

        in_a_thread = self._execute_in_time

        class ClusterClient(RedisCluster):
            """Also finds keys that are being moved to another node, and loads the slots for all callers."""

            async def initialize(self, *args: Any, **options: Any) -> Any:
                # A caller that is cancelled meanwhile would close the connections of all others.
                learning = asyncio.ensure_future(super().initialize(*args, **options))
                learning.add_done_callback(lambda done: done.cancelled() or done.exception())
                return await asyncio.shield(learning)

            async def execute_command(self, *args: Any, **options: Any) -> Any:
                try:
                    return await self._execute_again_if_closed(*args, **options)
                except ClusterError as error:
                    # The package sends ASKING and the command on two connections, and repeats that up to its limit.
                    if "TTL" not in str(error):
                        raise
                    return await anyio.to_thread.run_sync(in_a_thread, args, options)

            async def _execute_again_if_closed(self, *args: Any, **options: Any) -> Any:
                # If one command meets a lost node, the package closes the connections of all others too. Commands that
                # read then find their stream closed, and commands that write, in Python 3.12, their writer. The package
                # recognises neither as a lost connection.
                closed: Exception | None = None
                for _ in range(_RETRIES):
                    try:
                        return await super().execute_command(*args, **options)
                    except (AttributeError, TypeError) as error:
                        closed = error
                raise ConnectionLost("Connection closed by server") from closed

        return ClusterClient(
            max_connections=int(self.options["max_connections"]) + _EXTRA_CONNECTIONS,
            startup_nodes=[ClusterNode(host, port) for host, port in self.address.nodes],
            retry=new_async_retry(_RETRIES),
            require_full_coverage=False,
            reinitialize_steps=0,  # after this many moves it would close all connections, in use or not
            ssl=self.address.tls,
            **self._node_options,
        )

    def _execute_in_time(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        with self.budget.running():
            return self.client().execute_command(*args, **options)

    async def aclose(self, client: Any) -> None:
        """Close the connections."""
        await client.aclose()
        for nodes in ("nodes_cache", "startup_nodes"):  # it passes them over when it is about to learn them again
            await client.nodes_manager.aclose(nodes)

    def places(self) -> Sequence[Any]:
        """The primaries, which have different keys."""
        return [node.name for node in self.client().get_primaries()]

    async def aplaces(self, client: Any) -> Sequence[Any]:
        """As ``places``."""
        await client.initialize()
        return [node.name for node in client.get_primaries()]

    def scan(self, place: Any, cursor: int, pattern: bytes, count: int) -> tuple[int, list[bytes]]:
        """One step of SCAN at one primary."""
        client = self.client()
        node = client.get_node(node_name=place)
        cursors, found = client.scan(cursor, match=pattern, count=count, target_nodes=node)
        return int(cursors[place]), found

    async def ascan(self, client: Any, place: Any, cursor: int, pattern: bytes, count: int) -> tuple[int, list[bytes]]:
        """As ``scan``."""
        node = client.get_node(node_name=place)
        cursors, found = await client.scan(cursor, match=pattern, count=count, target_nodes=node)
        return int(cursors[place]), found
