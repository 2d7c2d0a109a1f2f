"""Alternating measurements, so that other load of the machine affects all of them equally."""

import gc
import random
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter

Times = dict[str, list[float]]


def in_turn(things: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1) -> Times:
    """Measure each thing once a round, in an order that changes; garbage collection is off, as in ``timeit``.

    Args:
        things: What to measure, by name.
        rounds: How often each is measured.
        calls: How often it is called for one measurement.

    Returns:
        Seconds of one call, for each thing and round. A round before the first warms up and does not count.
    """
    times: Times = {name: [] for name in things}
    order = list(things)
    shuffle = random.Random(1).shuffle  # an order, not a secret
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds + 1):
            shuffle(order)
            for name in order:
                seconds = _time(things[name], calls)
                if number > 0:
                    times[name].append(seconds)
    finally:
        if was_on:
            gc.enable()
    return times


def _time(thing: Callable[[], object], calls: int) -> float:
    started = perf_counter()
    for _ in range(calls):
        thing()
    return (perf_counter() - started) / calls


def median(times: list[float]) -> float:
    """Return the middle one."""
    return statistics.median(times)


def ratio(times: list[float], base: list[float]) -> float:
    """Return the middle one of the ratios within each round."""
    return statistics.median(one / other for one, other in zip(times, base, strict=True))
