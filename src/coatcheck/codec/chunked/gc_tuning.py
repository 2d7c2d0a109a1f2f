"""The interpreter's search for cycles, which blocks the event loop: done before the first call."""

import gc
from functools import cache


@cache
def search_beforehand() -> None:
    """Search for cycles among all objects now, once in a process, since the next large work would set that off.

    Everything that was imported is looked at then, 50 to 100 ms. Afterwards the interpreter searches through all of it
    again when there is a quarter more, and large values that consist of plain ones do not count.
    """
    gc.collect()


def spare_what_is_loaded() -> None:
    """Leave what has been loaded by now out of all searches to come; for processes that are ours alone.

    Unused objects that are in a cycle now are never freed; that is little, and a search for it would take 60 ms.
    """
    gc.freeze()
