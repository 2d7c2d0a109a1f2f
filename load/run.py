"""Load three replicas behind nginx, with one Redis, and print the figures; exit code 1 on errors or memory growth.

Clients and replicas share the cores of this machine. The clients send the wire protocol without the SDK, so that they
use little CPU time; their share is printed too.
"""

import argparse
import math
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
from anyio import to_thread
from load.clients import Counters, Tools, run_clients
from load.memory import MEBIBYTE, Memory

from tests.replicas.deployment import Deployment, deployed

ROOT = Path(__file__).parents[1]
KINDS = {
    "serve": (["serve", "--toolset", "tests.replicas.toolset:TOOLSET"], Tools("text", "measure")),
    "wrap": (
        ["wrap", "--", sys.executable, str(ROOT / "tests" / "wrap" / "feature_server.py"), "stdio"],
        Tools("text", "length"),
    ),
}
WARM = 1 / 3
"""Fraction of the time after which caches are full and all modules are imported: memory should not grow after it."""

LAST = 0.9
"""Fraction of the time after which samples count for the memory at the end."""

TOLERANCE = 0.10
"""Fraction by which memory may grow until the end, because the allocator returns memory in steps."""

CACHE = 16 * MEBIBYTE
"""Cache size of each sandbox worker."""

SHORTEST = 20.0
"""Shorter runs, in seconds, are not checked for memory growth."""


def main() -> int:
    """Run the load, print the figures, and return the exit code."""
    options = _options()
    command, tools = KINDS[options.kind]
    os.environ["PYTHONPATH"] = str(ROOT)
    # With a small cache, the workers reach their memory limit early in the run.
    # No preloaded interpreter: the memory of the real process is measured.
    with deployed(command, python=sys.executable, COATCHECK_SANDBOX_CACHE=str(CACHE)) as deployment:
        counters, memory, seconds = anyio.run(_loaded, deployment, options.clients, options.seconds, tools)
    faults = _faults(counters, memory, seconds)
    _print(options, counters, memory, seconds)
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


async def _loaded(deployment: Deployment, clients: int, seconds: float, tools: Tools) -> tuple[Counters, Memory, float]:
    memory = Memory([replica.pid for replica in deployment.replicas])
    began = time.monotonic()
    memory.sample(0.0)
    counters = Counters()

    async def watch() -> None:
        while True:
            await anyio.sleep(0.5)
            elapsed = time.monotonic() - began
            await to_thread.run_sync(memory.sample, elapsed)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await run_clients(deployment.url, clients, seconds, tools, counters)
        tasks.cancel_scope.cancel()
    elapsed = time.monotonic() - began
    memory.sample(elapsed)
    return counters, memory, elapsed


def _faults(counters: Counters, memory: Memory, seconds: float) -> list[str]:
    faults = [f"{count} times {error}" for error, count in counters.errors.most_common(10)]
    if not counters.latencies:
        faults.append("no call was answered")
    if seconds >= SHORTEST:
        grown = memory.between(LAST * seconds, seconds) / memory.between(WARM * seconds, WARM * seconds + 5) - 1
        if grown > TOLERANCE:
            faults.append(f"memory grew by {grown:.0%}, more than {TOLERANCE:.0%}")
    return faults


def _print(options: argparse.Namespace, counters: Counters, memory: Memory, seconds: float) -> None:
    calls = len(counters.latencies)
    used = resource.getrusage(resource.RUSAGE_SELF)
    rows = [
        (
            "load",
            f"{options.clients} clients for {seconds:.0f} s on {os.cpu_count()} cores, 3 replicas of {options.kind}",
        ),
        ("calls", f"{calls}, {calls / seconds:.0f} per second"),
        ("results", f"{counters.characters / 1e6:.0f} million characters"),
        ("p50, p99", f"{_quantile(counters.latencies, 0.5):.3f} s, {_quantile(counters.latencies, 0.99):.3f} s"),
        ("errors", str(sum(counters.errors.values()))),
        ("memory idle", _mebibytes(memory.samples[0][1])),
        ("peak", _mebibytes(memory.peak)),
        ("clients' CPU", f"{(used.ru_utime + used.ru_stime) / seconds:.0%} of a core"),
    ]
    if seconds >= SHORTEST:
        rows[6:6] = [
            ("warm", _mebibytes(memory.between(WARM * seconds, WARM * seconds + 5))),
            ("at the end", _mebibytes(memory.between(LAST * seconds, seconds))),
        ]
    for name, value in rows:
        print(f"{name:<14}{value}")


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def _mebibytes(size: float) -> str:
    return f"{size / MEBIBYTE:.0f} MiB"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200, help="number of concurrent clients (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the run (default: %(default)g)")
    parser.add_argument("--kind", choices=KINDS, default="serve", help="command of the replicas (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
