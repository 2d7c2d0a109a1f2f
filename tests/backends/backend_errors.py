"""Errors of a backend whose store is unavailable, sync and async."""

import asyncio
import math

import pytest

from coatcheck.backends import RedisBackend, RedisUnavailable
from tests.waiting import within

LONGEST_CALL = 0.8
"""Seconds."""


def refusals(backend: RedisBackend, *, seconds: float = math.inf) -> list[RedisUnavailable]:
    """Read a key, sync and async; both must fail within this many seconds. Closes the backend."""

    async def asynchronous():
        await backend.aget("a")

    found = []
    for call in (lambda: backend.get("a"), lambda: asyncio.run(asynchronous())):
        with within(seconds), pytest.raises(RedisUnavailable) as caught:
            call()
        found.append(caught.value)
    backend.close()
    return found


def prompt_refusals(backend: RedisBackend) -> list[RedisUnavailable]:
    """Like ``refusals``, with the time limit of a single call."""
    return refusals(backend, seconds=LONGEST_CALL)
