"""Overhead of coatcheck over a bare Redis client with many concurrent callers."""

import asyncio
from collections.abc import Awaitable, Callable

import redis.asyncio
from in_process import Peer
from measuring import alternating, median, ratio
from table import Figure
from values import one_kilobyte

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.redis_servers import redis_server

CALLERS = 32
OPERATIONS = 40
TTL = 3600
TARGET = 1.25


def in_redis(_: Peer) -> list[Figure]:
    """1 kB of records through the store with its circuit breaker, compared with a bare client."""
    value = one_kilobyte()
    with redis_server() as server, asyncio.Runner() as runner:
        bare = redis.asyncio.Redis.from_url(server.url)
        container = Container(settings=Settings(object_store_backend="redis", redis_url=server.url))
        store = container.store()
        stored = runner.run(store.aput(value))
        raw = runner.run(bare.get(f"coatcheck:{stored}"))
        assert runner.run(store.aget(stored)) == value

        def concurrently(work: Callable[[str], Awaitable[object]]) -> Callable[[], None]:
            return lambda: runner.run(_concurrently(work))

        times = alternating(
            {
                "bare put": concurrently(lambda name: bare.set(f"coatcheck:{name}", raw, ex=TTL)),
                "put": concurrently(lambda _: store.aput(value)),
                "bare get": concurrently(lambda _: bare.get(f"coatcheck:{stored}")),
                "get": concurrently(lambda _: store.aget(stored)),
            },
            rounds=15,
        )
        runner.run(bare.aclose())
        runner.run(container.exit_stack().aclose())
    section = f"1 kB in Redis, {CALLERS} concurrent callers"
    each = 1 / (CALLERS * OPERATIONS)
    return [
        Figure(section, "bare redis.asyncio, put", "µs", median(times["bare put"]) * each),
        Figure(section, "aput", "µs", median(times["put"]) * each),
        Figure(section, "aput, in bare puts", "x", ratio(times["put"], times["bare put"]), None, TARGET),
        Figure(section, "bare redis.asyncio, get", "µs", median(times["bare get"]) * each),
        Figure(section, "aget", "µs", median(times["get"]) * each),
        Figure(section, "aget, in bare gets", "x", ratio(times["get"], times["bare get"]), None, TARGET),
    ]


async def _concurrently(work: Callable[[str], Awaitable[object]]) -> None:
    async def caller(number: int) -> None:
        for turn in range(OPERATIONS):
            await work(f"{number}:{turn}")

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
