"""Measure coatcheck against its targets and its peers; see docs/benchmarks.md."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the Redis server of the tests

from event_loop import event_loop
from hostile_work import hostile_work
from in_process import Peer, large, paths, small
from in_redis import in_redis
from memory_in_flight import memory_in_flight
from peers import PeerMissing, peer_figures
from table import Figure, print_table
from wrapping import wrapping
from wrapping_http import wrapping_http

BENCHMARKS: dict[str, Callable[[Peer], list[Figure]]] = {
    "small": small,
    "large": large,
    "paths": paths,
    "redis": in_redis,
    "wrap": lambda _: wrapping(),
    "http": lambda _: wrapping_http(),
    "event_loop": lambda _: event_loop(),
    "hostile": lambda _: hostile_work(),
    "memory": lambda _: memory_in_flight(),
}
WITHOUT_DEEPSET = frozenset({"redis", "wrap", "http", "event_loop", "hostile", "memory"})


def main() -> None:
    """Run the selected benchmarks and print the figures. A missed target is marked but is not a failure."""
    options = _options()
    names = [options.only] if options.only else list(BENCHMARKS)
    peer: Peer = {}
    if not options.no_peer and not WITHOUT_DEEPSET.issuperset(names):
        try:
            peer = peer_figures()
        except PeerMissing as missing:
            print(f"{missing}\nContinuing without it.", file=sys.stderr)
    figures = [figure for name in names for figure in _measured(name, peer)]
    if options.json:
        print(json.dumps({"machine": machine(), "figures": [figure.as_json() for figure in figures]}, indent=2))
        return
    print(machine())
    print("Medians of alternating rounds; ratios are medians of the ratios within a round.\n")
    print_table(figures)


def _measured(name: str, peer: Peer) -> list[Figure]:
    try:
        return BENCHMARKS[name](peer)
    except Exception as error:  # noqa: BLE001  # the other benchmarks still run
        print(f"{name}: could not be measured: {type(error).__name__}: {error}", file=sys.stderr)
        return []


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="run one benchmark")
    parser.add_argument("--json", action="store_true", help="print JSON, times in seconds")
    parser.add_argument("--no-peer", action="store_true", help="leave deepset-mcp out; ctxtual is part of wrap")
    return parser.parse_args()


def machine() -> str:
    """Describe the machine and the versions."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("coatcheck", "orjson", "pydantic", "mcp")]
    load = f"load {os.getloadavg()[0]:.1f}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join([f"{os.cpu_count()} cores, {platform.machine()}", load, python, *versions])


if __name__ == "__main__":
    main()
