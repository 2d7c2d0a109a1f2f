"""Bounds the bytes that wait for upstreams: stored objects are large, and an upstream may not read."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from coatcheck.errors import UpstreamError
from coatcheck.proxy.line_streams import HIGH_WATER

MAX_UNSENT_BYTES = 256 << 20
"""Bytes waiting for all upstreams of this process above which no stored objects are inserted into arguments."""

MAX_CONCURRENT_CALLS = 4
"""Calls of this process into whose arguments objects are inserted concurrently."""

CAPACITY_TIMEOUT = 60.0
"""Seconds that such a call waits for capacity."""

_POLL_SECONDS = 0.05


class SendCapacity:
    """Serializes the preparation of calls with references for an upstream, once it has read the earlier ones.

    ``unsent`` returns the bytes that the upstream has not read.
    """

    _all: ClassVar["weakref.WeakSet[SendCapacity]"] = weakref.WeakSet()
    _preparing = 0

    def __init__(self, unsent: Callable[[], int]) -> None:
        self._unsent = unsent
        self._lock = asyncio.Lock()
        SendCapacity._all.add(self)

    async def run(self, work: Coroutine[Any, Any, None], refuse: Callable[[str], None]) -> None:
        """Run the preparation of a large message when there is capacity.

        ``refuse`` is called with the reason if there was no capacity in time; the work is not started.
        """
        try:
            async with self.reserved():
                await work
        except UpstreamError as error:
            refuse(str(error))
        finally:
            work.close()

    @asynccontextmanager
    async def reserved(self) -> AsyncIterator[None]:
        """Wait for capacity to prepare a large message for the upstream, and hold it within the block.

        Raises:
            UpstreamError: The wait was too long: the upstream reads nothing, or all upstreams together too little.
        """
        locked = counted = False
        try:
            try:
                async with asyncio.timeout(CAPACITY_TIMEOUT):
                    locked = await self._lock.acquire()
                    await self._wait()
            except TimeoutError:
                raise _not_taken() from None
            SendCapacity._preparing += 1
            counted = True
            yield
        finally:
            SendCapacity._preparing -= counted
            if locked:
                self._lock.release()

    async def wait(self) -> None:
        """Wait for capacity without holding it, before a large message is parsed.

        Raises:
            UpstreamError: As for ``reserved``.
        """
        try:
            await asyncio.wait_for(self._wait(), CAPACITY_TIMEOUT)
        except TimeoutError:
            raise _not_taken() from None

    async def _wait(self) -> None:
        while not self._is_free():  # noqa: ASYNC110  # no event covers all upstreams
            await asyncio.sleep(_POLL_SECONDS)

    def _is_free(self) -> bool:
        return (
            self._unsent() < HIGH_WATER
            and SendCapacity._preparing < MAX_CONCURRENT_CALLS
            and sum(each._unsent() for each in SendCapacity._all) < MAX_UNSENT_BYTES  # noqa: SLF001
        )


def _not_taken() -> UpstreamError:
    return UpstreamError(f"The server did not take earlier messages within {CAPACITY_TIMEOUT:g} s; try again later.")
