"""The errors of a backend whose store is not usable, in the synchronous and the asynchronous form."""

import asyncio
import math

import pytest

from coatcheck.backends import RedisBackend, RedisUnavailable
from tests.waiting import within

LONGEST_CALL = 0.8
"""Seconds."""


def refusals(backend: RedisBackend, *, seconds: float = math.inf) -> list[RedisUnavailable]:
    """Read something in both forms, each of which is refused in so many seconds; closes the backend."""

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
    """As ``refusals``, each within the time of a call."""
    return refusals(backend, seconds=LONGEST_CALL)
