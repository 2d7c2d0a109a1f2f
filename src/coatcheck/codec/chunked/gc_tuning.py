"""The garbage collector, whose search for cycles blocks the event loop: run before the first call."""

import gc
from functools import cache


@cache
def collect_garbage_once() -> None:
    """Run a full collection, once in a process: else the first large value would set it off in the middle of a call.

    It takes 50 to 100 ms, since everything that was imported is searched. The next full one comes when there are a
    quarter more objects; large values that consist of plain ones do not count.
    """
    gc.collect()


def freeze_loaded_objects() -> None:
    """Exclude all objects that exist now from later collections; for processes that run nothing but coatcheck.

    Unused objects that are in a cycle now are never freed: they are few, and searching for them would take 60 ms.
    """
    gc.freeze()
