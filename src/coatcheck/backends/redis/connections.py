"""The asynchronous connections of one event loop to one server, or to whatever sentinels name."""

import asyncio
from typing import Any

from coatcheck.backends.redis.loop_timeout import LoopTimeout

RETRIES = 2
FIRST_PAUSE_SECONDS = 0.02


class Connections:
    """Sends commands over connections of the redis package, and keeps those for the next ones.

    It does what the package's own client does with its pool, in half the time, since there are no subscriptions,
    transactions and observers to think of. A command whose connection was refused or lost is sent again. The caller
    sees to it that commands can be repeated, that few are on their way at a time, and that none takes too long.

    Args:
        pool: A pool of the package, which makes the connections and is not used for anything else.
    """

    def __init__(self, pool: Any) -> None:
        from redis.exceptions import AuthenticationError
        from redis.exceptions import ConnectionError as RedisConnectionError
        from redis.exceptions import TimeoutError as RedisTimeoutError

        self.pool = pool
        self._idle: list[Any] = []
        self._all: list[Any] = []
        self._primary: Any = None
        self._lost, self._refused = RedisConnectionError, AuthenticationError
        self._timed_out = RedisTimeoutError

    async def execute_command(self, *command: Any) -> Any:
        """Send a command and give the answer as it comes."""
        left, pause = RETRIES, FIRST_PAUSE_SECONDS
        while True:
            connection = self._idle.pop() if self._idle else self._new()
            try:
                if not connection.is_connected:
                    await self._connect(connection)
                await connection.send_packed_command(connection.pack_command(*command))
                return await connection.read_response()
            except self._refused:
                raise
            except self._lost:
                await connection.disconnect(nowait=True)
                if not left:
                    raise
            finally:
                self._idle.append(connection)
            await asyncio.sleep(pause)
            left, pause = left - 1, 2 * pause

    async def close_idle(self) -> None:
        """Close the connections that nothing is being done with; they are opened again when they are needed."""
        for connection in list(self._idle):
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            await connection.disconnect()

    def _new(self) -> Any:
        connection = self.pool.make_connection()
        self._all.append(connection)
        return connection

    async def _connect(self, connection: Any) -> None:
        if hasattr(self.pool, "sentinel_manager"):
            await connection.connect()  # asks the sentinels first, each of which has a time of its own
        else:
            await self._connect_in_time(connection)
        primary = getattr(self.pool, "master_address", None)
        if primary != self._primary:  # sentinels have named another one: who is still connected to the last is not
            self._primary = primary
            await self.close_idle()

    async def _connect_in_time(self, connection: Any) -> None:
        # The package's own timeout would take a loop that lags for a server that accepts no connections.
        seconds, connection.socket_connect_timeout = connection.socket_connect_timeout, None
        try:
            with LoopTimeout(seconds)():
                await connection.connect()
        except TimeoutError:
            raise self._timed_out("Timeout connecting to server") from None
        finally:
            connection.socket_connect_timeout = seconds
