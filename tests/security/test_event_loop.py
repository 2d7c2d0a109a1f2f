"""While a call processes an object of 300 000 rows, small calls of other callers are answered.

`make bench` measures their latency. Not covered: if a tool of an attached server returns a large typed value, the SDK
itself converts it on the event loop before coatcheck receives it.
"""

import gc
import time

import pytest
from bench.large_work import IN_PROCESS, TOOL, latencies_during, rows, rows_as_text

from coatcheck.containers import Container
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio

NEGLIGIBLE = 0.25
"""Seconds of computing on the event loop that delay other callers too little to matter."""


@pytest.fixture(scope="module")
def container():
    container = Container(settings=Settings(sandbox_timeout=60))
    rows_as_text()  # cached before the first measurement
    yield container
    container.sandbox().close()
    for cached in (rows, rows_as_text):  # a million objects that every later garbage collection would visit
        cached.cache_clear()


@pytest.fixture(scope="module")
def name(container):
    """The id of the stored rows, for the work that reads them."""
    return container.store().put(rows())


ATTEMPTS = 3
"""A pause of the virtual machine counts as CPU time of its threads, but does not come each time."""


@pytest.mark.parametrize("what", IN_PROCESS)
async def test_small_calls_are_answered_during_large_work(container, name, what):
    explorer, interceptor = container.explorer(), container.proxy_interceptor()
    interceptor.learn([TOOL])
    small_id = await explorer.store.aput({"a": [1, 2, 3]})
    faults = []
    while len(faults) < ATTEMPTS:
        longest, total = await blocked_during(
            lambda: IN_PROCESS[what](explorer, interceptor, name), lambda: explorer.aexplore(small_id, "a[1]")
        )
        if total < NEGLIGIBLE or longest < total / 3:
            return
        faults.append(f"{longest:.3f} of {total:.3f} s without a break")
    raise AssertionError(faults)


async def blocked_during(work, small_call):
    """The longest time between two small calls and the sum of all, in CPU seconds of the loop's thread.

    Other processes do not affect these.
    """
    blocked, began, before = [], 0.0, 0.0

    async def small() -> None:
        nonlocal before
        await small_call()
        now = time.thread_time() - began
        blocked.append(now - before)
        before = now

    gc.collect()
    began = time.thread_time()
    gc.disable()  # a collection of what earlier tests left is not part of the work
    try:
        await latencies_during(work(), small)
    finally:
        gc.enable()
    return max(blocked), before
