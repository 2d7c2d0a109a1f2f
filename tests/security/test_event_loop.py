"""While one caller works with an object of 300 000 rows, another's small calls are answered.

How long they wait is measured by `make bench`. What is not claimed: where a tool of an attached server returns a large
typed value, the SDK itself converts it on the event loop before we see it.
"""

import gc
import time

import pytest
from bench.large_work import IN_PROCESS, TOOL, meanwhile, rows, rows_as_text

from coatcheck.containers import Container
from coatcheck.settings import Settings

pytestmark = pytest.mark.anyio

NEXT_TO_NOTHING = 0.25
"""Seconds of computing on the event loop that hold nobody up."""


@pytest.fixture(scope="module")
def container():
    made = Container(settings=Settings(sandbox_timeout=60))
    rows_as_text()  # made before anything is measured
    yield made
    made.sandbox().close()
    for made_once in (rows, rows_as_text):  # a million objects that every later search for cycles would visit
        made_once.cache_clear()


@pytest.mark.parametrize("what", IN_PROCESS)
async def test_small_calls_are_answered_while_a_large_object_is(container, what):
    explorer, interceptor = container.explorer(), container.proxy_interceptor()
    interceptor.learn([TOOL])
    small_id = await explorer.store.aput({"a": [1, 2, 3]})
    name = await explorer.store.aput(rows())
    holds, began, before = [], 0.0, 0.0

    async def small() -> None:
        nonlocal before
        await explorer.aexplore(small_id, "a[1]")
        now = time.thread_time() - began
        holds.append(now - before)
        before = now

    gc.collect()
    began = time.thread_time()
    gc.disable()  # a search through all that the tests before have left is no part of the work
    try:
        await meanwhile(small, IN_PROCESS[what](explorer, interceptor, name))
    finally:
        gc.enable()
    await explorer.store.adelete(name)
    # In seconds that the loop's thread computes, which other processes do not change.
    assert before < NEXT_TO_NOTHING or max(holds) < before / 3, f"{max(holds):.3f} of {before:.3f} s at a stretch"
