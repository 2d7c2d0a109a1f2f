"""What a backend says of a store that it cannot use, in its two forms."""

import asyncio
import math
import time

import pytest

from coatcheck.backends import RedisBackend, RedisUnavailable

LONGEST_CALL = 1.3
"""Seconds: 0.8, and what a busy machine adds."""


def refusals(backend: RedisBackend, *, within: float = math.inf) -> list[RedisUnavailable]:
    """Read something in both forms, each of which is refused in so many seconds; closes the backend."""

    async def asynchronous():
        await backend.aget("a")

    found = []
    for call in (lambda: backend.get("a"), lambda: asyncio.run(asynchronous())):
        start = time.perf_counter()
        with pytest.raises(RedisUnavailable) as caught:
            call()
        assert time.perf_counter() - start < within
        found.append(caught.value)
    backend.close()
    return found


def prompt_refusals(backend: RedisBackend) -> list[RedisUnavailable]:
    """As ``refusals``, each within the time of a call."""
    return refusals(backend, within=LONGEST_CALL)
