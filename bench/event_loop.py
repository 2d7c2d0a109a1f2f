"""Latency of small calls while another call processes 300 000 rows: in this process, and through real servers."""

import asyncio
import gc
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from large_work import IN_PROCESS, SERVERS, TOOL, latencies_during, rows, rows_as_text, server_with_rows, steps
from measuring import median
from table import Figure

from coatcheck.containers import Container
from coatcheck.settings import Settings

ROUNDS = 3
EVERY = 0.004
TARGET = 0.050


def event_loop() -> list[Figure]:
    """Measure; each figure is the median over the rounds of the 99th percentile of the latencies in a round."""
    return [*asyncio.run(_in_process()), *(figure for server in SERVERS for figure in asyncio.run(_through(server)))]


async def _in_process() -> list[Figure]:
    container = Container(settings=Settings(sandbox_timeout=60.0))
    explorer, interceptor = container.explorer(), container.proxy_interceptor()
    interceptor.learn([TOOL])
    small_id = await explorer.store.aput({"a": [1, 2, 3]})
    rows_as_text()  # cached before the first measurement
    figures = []
    for what, work in IN_PROCESS.items():

        async def repeat(work: Callable[..., Awaitable[Any]] = work) -> None:
            name = await explorer.store.aput(rows())
            await work(explorer, interceptor, name)
            await explorer.store.adelete(name)

        figures.append(
            await _figure("300 000 rows in this process", what, lambda: explorer.aexplore(small_id, "a[1]"), repeat)
        )
    container.sandbox().close()
    return figures


async def _through(server: str) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        async with server_with_rows(server, Path(folder)) as client:
            small_id = re.findall(r"obj_\w+", await client.call("object_store_put", value={"a": [1, 2, 3]}))[0]
            for what, work in steps(client, server).items():

                def small() -> Awaitable[str]:
                    return client.call("object_store_get", object_id=small_id, path="a[1]")

                figures.append(await _figure(f"300 000 rows through a server, {server}", what, small, work))
    return figures


async def _figure(section: str, what: str, small: Callable[[], Any], work: Callable[[], Awaitable[Any]]) -> Figure:
    latencies = []
    for _ in range(ROUNDS):
        gc.collect()
        gc.disable()
        try:
            latencies.append((await latencies_during(work(), small, EVERY)).p99)
        finally:
            gc.enable()
    return Figure(section, f"latency of a small call, p99: {what}", "ms", median(latencies), target=TARGET)
