"""The interpreter's search for cycles, in processes that are ours alone."""

import gc


def spare_what_is_loaded() -> None:
    """Leave what has been loaded by now out of all searches to come.

    The first search after that would look at everything that was imported, 60 ms in which nobody is served. What is in
    a cycle now and nobody needs is never freed; that is little, and a search for it would take the 60 ms at once.
    """
    gc.freeze()
