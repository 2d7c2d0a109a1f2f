"""Clients that store objects of all sizes and use them, as fast as the server responds."""

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from tests.replicas.http_client import NEWER, OLDER, Caller, CallFailed, reference_in

SIZES, SHARES = (500, 20_000, 200_000, 2_000_000), (40, 40, 18, 2)
"""Characters of the results, and the percentage of results of each size."""


@dataclass(slots=True)
class Counters:
    """Counts of a run.

    Attributes:
        latencies: Seconds of each answered call.
        errors: Number of errors, by type and message.
        characters: Characters that the tools have returned.
    """

    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    characters: int = 0


@dataclass(slots=True)
class Tools:
    """Names of the tools that are called.

    Attributes:
        make: Returns a text of ``size`` characters.
        measure: Returns the number of characters of a ``value``, as the first word of its answer.
    """

    make: str
    measure: str


async def run_clients(url: str, clients: int, seconds: float, tools: Tools, counters: Counters) -> None:
    """Run clients for some seconds; half of them use the older protocol revision, half the newer one."""
    end = time.monotonic() + seconds
    async with anyio.create_task_group() as tasks:
        for number in range(clients):
            tasks.start_soon(_client, number, url, end, tools, counters)


async def _client(number: int, url: str, end: float, tools: Tools, counters: Counters) -> None:
    random_ = random.Random(number)  # noqa: S311
    async with Caller(url, (OLDER, NEWER)[number % 2]) as caller:

        async def call(tool: str, **arguments: object) -> str:
            began = time.perf_counter()
            text = await caller.call(tool, arguments)
            counters.latencies.append(time.perf_counter() - began)
            return text

        while time.monotonic() < end:
            size = random_.choices(SIZES, SHARES)[0]
            try:
                await _create_and_use(call, size, tools)
                counters.characters += size
            except Exception as error:  # noqa: BLE001  (counted as an error of the run)
                counters.errors[f"{type(error).__name__}: {error}"[:200]] += 1


async def _create_and_use(call: Callable[..., Awaitable[str]], size: int, tools: Tools) -> None:
    text = await call(tools.make, size=size)
    if "@obj_" not in text:
        if len(text) != size:
            raise CallFailed(f"A text of {size} characters was returned with {len(text)}.")
        return
    reference = reference_in(text)
    answer = await call(tools.measure, value=reference)
    if answer.split()[0] != str(size):
        raise CallFailed(f"{size} characters were counted as {answer[:50]}.")
    part = await call("object_store_slice", object_id=reference, start=size - 100, end=size)
    if not part.strip():
        raise CallFailed("A part of an object is empty.")
