"""One asynchronous Redis client for each event loop: its connections cannot be used from another one."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from coatcheck.backends.redis.async_connections import LoopTimeout
from coatcheck.backends.redis.errors import RedisUnavailable, Troubles
from coatcheck.backends.redis.redis_clients import RedisClients

Result = TypeVar("Result")


@dataclass(slots=True)
class _Mine:
    """What one event loop has.

    Attributes:
        client: Its client.
        guard: The generator whose end closes the client.
        turns: Lets in as many operations at a time as there may be connections.
        timeout: Ends operations that take too long.
        patience: Ends waiting for a turn that takes too long.
    """

    client: Any
    guard: AsyncGenerator[None, None]
    turns: asyncio.Semaphore
    timeout: LoopTimeout
    patience: LoopTimeout


class LoopClients:
    """Carries out asynchronous operations, each within its time, with errors of ours.

    A client is closed by ``aclose`` in its loop, and by itself when the loop ends as ``asyncio.run`` ends it.

    Args:
        clients: Makes and closes the clients.
        troubles: Turns the errors of the redis package into ours.
        most: Connections, and so operations, at a time.
        timeout: Seconds that an operation may take; it waits for up to half of them for its turn.
    """

    def __init__(
        self, clients: RedisClients, troubles: Troubles, *, most: int, timeout: float, patience: float
    ) -> None:
        self._clients = clients
        self._troubles = troubles
        self._most = most
        self._timeout = timeout
        self._patience = patience
        self._loops: dict[asyncio.AbstractEventLoop, _Mine] = {}
        self._lock = threading.Lock()

    async def run(self, work: "Callable[..., Awaitable[Result]]", *args: Any) -> Result:
        """Give what ``work(client, *args)`` gives; it uses one connection at a time."""
        mine = self._loops.get(asyncio.get_running_loop()) or await self._new()
        turns = mine.turns
        try:
            with mine.timeout():
                if turns.locked():
                    await self._wait_for_turn(mine)
                else:
                    await turns.acquire()
                try:
                    return await work(mine.client, *args)
                finally:
                    turns.release()
        except self._troubles.errors as error:
            unavailable = self._troubles.translate(error)
            if unavailable.trouble == "timeout":
                await self._clients.aheal(mine.client)
            raise unavailable from self._troubles.shown(error)

    async def aclose(self) -> None:
        """Close the client of the running loop; a later operation makes a new one."""
        mine = self._loops.get(asyncio.get_running_loop())
        if mine:
            await mine.guard.aclose()

    async def _wait_for_turn(self, mine: _Mine) -> None:
        try:
            with mine.patience():
                await mine.turns.acquire()
        except TimeoutError:
            raise RedisUnavailable(self._troubles.address, "busy") from None

    async def _new(self) -> _Mine:
        loop = asyncio.get_running_loop()
        client = self._clients.new_async()
        mine = _Mine(
            client,
            self._until_closed(loop, client),
            asyncio.Semaphore(self._most),
            LoopTimeout(self._timeout),
            LoopTimeout(self._patience),
        )
        with self._lock:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            self._loops[loop] = mine
        # Started here, the generator is known to the loop, which closes what it knows when it shuts down.
        await anext(mine.guard)
        return mine

    async def _until_closed(self, loop: asyncio.AbstractEventLoop, client: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._loops.pop(loop, None)
            await self._clients.aclose(client)
