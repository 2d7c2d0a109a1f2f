"""Bounds the bytes that wait for upstreams: stored objects are large, and an upstream may not read."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

from coatcheck.calls.long_messages import LONG_MESSAGE
from coatcheck.errors import UpstreamError
from coatcheck.proxy.line_streams import HIGH_WATER

MAX_UNSENT_BYTES = 256 << 20
"""Bytes waiting for all upstreams of this process above which no stored objects are inserted into arguments."""

MAX_CONCURRENT_CALLS = 4
"""Calls of this process into which more than ``LONG_MESSAGE`` is inserted concurrently; one of each upstream."""

MAX_SHORT_CALLS = 32
"""Calls of an upstream into which less is inserted concurrently."""

CAPACITY_TIMEOUT = 60.0
"""Seconds that such a call waits for capacity."""

_POLL_SECONDS = 0.05

Reserve = Callable[[int], Awaitable[None]]
"""Called with the bytes of each object before it is inserted into the arguments of a call.

Raises `UpstreamError` if the wait was too long: the upstream reads nothing, or all upstreams together too little.
"""


class SendCapacity:
    """Delays calls with references until their upstream has read earlier messages; those with long values take turns.

    ``unsent`` returns the bytes that the upstream has not read.
    """

    _all: ClassVar["weakref.WeakSet[SendCapacity]"] = weakref.WeakSet()
    _preparing = 0

    def __init__(self, unsent: Callable[[], int]) -> None:
        self._unsent = unsent
        self._long, self._short = asyncio.Semaphore(1), asyncio.Semaphore(MAX_SHORT_CALLS)
        SendCapacity._all.add(self)

    @asynccontextmanager
    async def reserving(self) -> AsyncIterator[Reserve]:
        """Return a function that waits until the objects of a call may be read; see ``Reserve``.

        What it reserves is held until the block ends.
        """
        size = 0
        async with AsyncExitStack() as held:

            async def reserve(more: int) -> None:
                nonlocal size
                before, size = size, size + max(more, 1)
                if before <= LONG_MESSAGE < size:
                    await held.aclose()  # Short calls do not wait for this one.
                    await held.enter_async_context(self._held(self._long, is_long=True))
                elif not before:
                    await held.enter_async_context(self._held(self._short))

            yield reserve

    @asynccontextmanager
    async def _held(self, slots: asyncio.Semaphore, *, is_long: bool = False) -> AsyncIterator[None]:
        """Hold a slot from the time at which upstreams have read enough; long calls of the process are limited too."""
        locked = counted = False
        try:
            try:
                async with asyncio.timeout(CAPACITY_TIMEOUT):
                    locked = await slots.acquire()
                    await self._wait(is_long=is_long)
            except TimeoutError:
                raise _not_taken() from None
            SendCapacity._preparing += is_long
            counted = is_long
            yield
        finally:
            SendCapacity._preparing -= counted
            if locked:
                slots.release()

    async def wait(self) -> None:
        """Wait for capacity without holding it, before a large message is parsed.

        Raises:
            UpstreamError: As for ``Reserve``.
        """
        try:
            await asyncio.wait_for(self._wait(is_long=True), CAPACITY_TIMEOUT)
        except TimeoutError:
            raise _not_taken() from None

    async def _wait(self, *, is_long: bool) -> None:
        while not self._is_free(is_long=is_long):  # noqa: ASYNC110  # no event covers all upstreams
            await asyncio.sleep(_POLL_SECONDS)

    def _is_free(self, *, is_long: bool) -> bool:
        return (
            self._unsent() < HIGH_WATER
            and (not is_long or SendCapacity._preparing < MAX_CONCURRENT_CALLS)
            and sum(each._unsent() for each in SendCapacity._all) < MAX_UNSENT_BYTES  # noqa: SLF001
        )


def _not_taken() -> UpstreamError:
    return UpstreamError(f"The server did not take earlier messages within {CAPACITY_TIMEOUT:g} s; try again later.")
