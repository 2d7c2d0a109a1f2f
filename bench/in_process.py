"""Times of coatcheck in one process: previews, storing, reading parts."""

import asyncio
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

import orjson
from measuring import alternating, median, ratio
from table import Figure
from values import one_kilobyte, twelve_megabytes

from coatcheck.backends import InMemoryBackend
from coatcheck.decorators import referenceable
from coatcheck.explorer import Explorer
from coatcheck.explorer.previews import Subject, render
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.monitoring.metrics import Metrics
from coatcheck.object_store import ObjectStore

Peer = dict[str, float]
PREVIEW_LIMIT = 4000
PATH = "[5000].name"


def new_explorer(sandbox: Sandbox | None = None) -> Explorer:
    """An explorer with a new store."""
    return Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, preview_limit=PREVIEW_LIMIT)


def small(peer: Peer) -> list[Figure]:
    """1 kB of records: previews, and what the store adds."""
    value = one_kilobyte()
    explorer = new_explorer()
    store = explorer.store
    stored = store.put(value)
    store_with_metrics = new_explorer().store
    store_with_metrics.observation.observer = Metrics(lambda: store_with_metrics.backend)
    subject = Subject("@obj_001", len(orjson.dumps(value)), "list_users")
    with asyncio.Runner() as runner:
        times = alternating(
            {
                "preview": lambda: render(value, subject, PREVIEW_LIMIT),
                "keep": lambda: explorer.put_and_preview(value),
                "stored": lambda: explorer.preview(stored),
                "put": lambda: store.put(value),
                "get": lambda: store.get(stored),
                "both": lambda: store.get(store.put(value)),
                "both, with metrics": lambda: store_with_metrics.get(store_with_metrics.put(value)),
                "aput": lambda: runner.run(store.aput(value)),
                "nothing": lambda: runner.run(_nothing()),
            },
            rounds=15,
            calls=100,
        )
    aput = max(median(times["aput"]) - median(times["nothing"]), 0)
    section = "1 kB of records"
    return [
        Figure(section, "preview of a value in memory", "µs", median(times["preview"]), None, 150e-6),
        Figure(section, "preview of the stored object", "µs", median(times["stored"]), peer.get("preview 1 kB")),
        Figure(section, "put and preview", "µs", median(times["keep"]), peer.get("put and preview 1 kB")),
        Figure(section, "put", "µs", median(times["put"]), peer.get("put 1 kB")),
        Figure(section, "aput", "µs", aput),
        Figure(section, "get", "µs", median(times["get"]), peer.get("get 1 kB")),
        Figure(
            section, "put and get with metrics, times without", "x", ratio(times["both, with metrics"], times["both"])
        ),
    ]


async def _nothing() -> None:
    """The cost of running a coroutine."""


def large(peer: Peer) -> list[Figure]:
    """A list of 12 MB: storing and previewing it beside its bare encoding."""
    value = twelve_megabytes()
    with asyncio.Runner() as runner:
        times = alternating(
            {
                "encode": lambda: orjson.dumps(value),
                "put": lambda: new_explorer().put_and_preview(value),
                "aput": lambda: runner.run(new_explorer().aput_and_preview(value)),
            },
            rounds=31,
        )
        runner.run(_longest_block(lambda: new_explorer().aput_and_preview(value)))
        blocked = [runner.run(_longest_block(lambda: new_explorer().aput_and_preview(value))) for _ in range(7)]
    section = f"{len(value):,} records, {len(orjson.dumps(value)) / 1e6:.0f} MB"
    put, aput = ratio(times["put"], times["encode"]), ratio(times["aput"], times["encode"])
    return [
        Figure(section, "bare encoding (orjson.dumps)", "ms", median(times["encode"])),
        Figure(section, "put and preview", "ms", median(times["put"]), peer.get("put and preview 12 MB")),
        Figure(section, "put and preview, in bare encodings", "x", put, None, 1.3),
        Figure(section, "aput and preview", "ms", median(times["aput"])),
        Figure(section, "aput and preview, in bare encodings", "x", aput, None, 2.5),
        # The peer stores and previews on the event loop, which is blocked all that time.
        Figure(
            section,
            "longest block of the event loop",
            "ms",
            median(blocked),
            peer.get("put and preview 12 MB"),
            0.05,
        ),
    ]


async def _longest_block(work: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """Return the longest time in seconds that a callback had to wait during the work."""
    loop = asyncio.get_running_loop()
    longest, last, running = 0.0, perf_counter(), True

    def tick() -> None:
        nonlocal longest, last
        now = perf_counter()
        longest, last = max(longest, now - last), now
        if running:
            loop.call_soon(tick)

    loop.call_soon(tick)
    await asyncio.sleep(0)
    await work()
    running = False
    await asyncio.sleep(0)
    return longest


def paths(peer: Peer) -> list[Figure]:
    """A path into the list of 12 MB: the first time, and again."""
    sandbox = Sandbox()
    try:
        explorer = new_explorer(sandbox)
        value = twelve_megabytes()
        first = [_first_explore(explorer, value) for _ in range(6)]
        stored = explorer.store.put(value)

        @referenceable(object_store=explorer.store, explorer=explorer)
        def take(value: str) -> str:
            return value

        assert "user number 5000" in explorer.explore(stored, PATH)
        assert take(value=f"@{stored}{PATH}") == "user number 5000"
        with asyncio.Runner() as runner:
            times = alternating(
                {
                    "again": lambda: explorer.explore(stored, PATH),
                    "argument": lambda: take(value=f"@{stored}{PATH}"),
                },
                rounds=21,
                calls=20,
            )
            # Within one running loop, as in a server: the start of a loop is not measured.
            times["aagain"] = runner.run(_explore_repeatedly(explorer, stored, 400))
    finally:
        sandbox.close()
    section = "a path into it"
    each_time = peer.get("path again")
    return [
        Figure(section, "explore, first time, starting the sandbox", "ms", first[0], each_time),
        Figure(section, "explore, first time, sandbox running", "ms", median(first[1:]), each_time),
        Figure(section, "explore again", "ms", median(times["again"]), each_time, 1e-3),
        Figure(section, "aexplore again", "ms", median(times["aagain"]), None, 1e-3),
        Figure(
            section,
            "reference as a tool's argument, again",
            "ms",
            median(times["argument"]),
            peer.get("argument again"),
        ),
    ]


async def _explore_repeatedly(explorer: Explorer, stored: str, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        started = perf_counter()
        await explorer.aexplore(stored, PATH)
        seconds.append(perf_counter() - started)
    return seconds


def _first_explore(explorer: Explorer, value: object) -> float:
    stored = explorer.store.put(value)
    started = perf_counter()
    explorer.explore(stored, PATH)
    seconds = perf_counter() - started
    explorer.store.delete(stored)
    return seconds
