"""One asynchronous Redis client for each event loop: its connections cannot be used from another one."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from coatcheck.backends.redis.async_connections import LoopTimeout
from coatcheck.backends.redis.errors import ErrorTranslator, RedisUnavailable
from coatcheck.backends.redis.redis_clients import RedisClients

Result = TypeVar("Result")


@dataclass(slots=True)
class _LoopState:
    """The client of one event loop."""

    client: Any
    guard: AsyncGenerator[None, None]  # the generator whose end closes the client
    turns: asyncio.Semaphore  # limits concurrent operations to the number of connections
    timeout: LoopTimeout  # cancels operations that take too long
    turn_timeout: LoopTimeout  # cancels waits for a connection that take too long


class LoopClients:
    """Runs asynchronous operations, each within its timeout, and translates their errors.

    A client is closed by ``aclose`` in its loop, and on its own when the loop ends as ``asyncio.run`` ends it.

    There are at most ``most`` connections; waiting for one takes at most ``turn_timeout`` of the ``timeout``.
    """

    def __init__(
        self, clients: RedisClients, translator: ErrorTranslator, *, most: int, timeout: float, turn_timeout: float
    ) -> None:
        self._clients = clients
        self._translator = translator
        self._most = most
        self._timeout = timeout
        self._turn_timeout = turn_timeout
        self._loops: dict[asyncio.AbstractEventLoop, _LoopState] = {}
        self._lock = threading.Lock()

    async def run(self, work: "Callable[..., Awaitable[Result]]", *args: Any) -> Result:
        """Return the result of ``work(client, *args)``, which uses one connection at a time."""
        state = self._loops.get(asyncio.get_running_loop()) or await self._new()
        turns = state.turns
        try:
            with state.timeout():
                if turns.locked():
                    await self._wait_for_turn(state)
                else:
                    await turns.acquire()
                try:
                    return await work(state.client, *args)
                finally:
                    turns.release()
        except self._translator.errors as error:
            unavailable = self._translator.translate(error)
            if unavailable.kind == "timeout":
                await self._clients.aclose_idle(state.client)
            raise unavailable from self._translator.shown(error)

    async def aclose(self) -> None:
        """Close the client of the running loop; a later operation creates a new one."""
        state = self._loops.get(asyncio.get_running_loop())
        if state:
            await state.guard.aclose()

    async def _wait_for_turn(self, state: _LoopState) -> None:
        try:
            with state.turn_timeout():
                await state.turns.acquire()
        except TimeoutError:
            raise RedisUnavailable(self._translator.address, "busy") from None

    async def _new(self) -> _LoopState:
        loop = asyncio.get_running_loop()
        client = self._clients.new_async()
        state = _LoopState(
            client,
            self._until_closed(loop, client),
            asyncio.Semaphore(self._most),
            LoopTimeout(self._timeout),
            LoopTimeout(self._turn_timeout),
        )
        with self._lock:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            self._loops[loop] = state
        # The loop registers a generator that is started here, and closes it at shutdown.
        await anext(state.guard)
        return state

    async def _until_closed(self, loop: asyncio.AbstractEventLoop, client: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._loops.pop(loop, None)
            await self._clients.aclose(client)
