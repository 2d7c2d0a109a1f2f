"""Alternating measurements, so that other load of the machine affects all of them equally."""

import gc
import random
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter

Times = dict[str, list[float]]


def alternating(work: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1) -> Times:
    """Measure each function once a round, in a varying order; garbage collection is off, as in ``timeit``.

    Args:
        work: Functions to measure, by name.
        rounds: Measurements of each function.
        calls: Calls in one measurement.

    Returns:
        Seconds of one call, for each function and round. A first warm-up round does not count.
    """
    times: Times = {name: [] for name in work}
    order = list(work)
    shuffle = random.Random(1).shuffle
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds + 1):
            shuffle(order)
            for name in order:
                seconds = _time(work[name], calls)
                if number > 0:
                    times[name].append(seconds)
    finally:
        if was_enabled:
            gc.enable()
    return times


def _time(function: Callable[[], object], calls: int) -> float:
    started = perf_counter()
    for _ in range(calls):
        function()
    return (perf_counter() - started) / calls


def median(times: list[float]) -> float:
    """Return the median."""
    return statistics.median(times)


def ratio(times: list[float], base: list[float]) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(one / other for one, other in zip(times, base, strict=True))
