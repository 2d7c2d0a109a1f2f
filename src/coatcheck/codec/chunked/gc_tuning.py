"""Runs the garbage collector, which blocks the event loop, before the first call."""

import gc
from functools import cache


@cache
def collect_garbage_once() -> None:
    """Run a full collection once in a process; otherwise the first large value would trigger it during a call.

    It takes 50 to 100 ms, because all imported objects are searched. The next full collection happens when there are a
    quarter more objects; large values of plain objects do not count.
    """
    gc.collect()


def freeze_loaded_objects() -> None:
    """Exclude all existing objects from collections, which begin now; for processes that run only coatcheck.

    Existing garbage in cycles is never freed: it is small, and searching for it would take 60 ms.
    """
    gc.freeze()
    gc.enable()
