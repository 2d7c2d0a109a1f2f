"""The operations on stored objects: pure functions of a document and arguments, without input or output.

Each takes a ``Document`` and a dict of arguments. All use ``reference`` (the object's name in answers),
``path`` (the part to work on, ``""`` for all of it) and ``limit`` (maximum characters of the answer's text, whatever
else is asked). They run in this process if the object is small and the work is harmless, else in the sandbox.
"""

from collections.abc import Callable
from dataclasses import replace as with_changes
from typing import Any

from coatcheck.codec import well_formed
from coatcheck.explorer.operations.clipping import clip
from coatcheck.explorer.operations.document import Answer, Document, locate
from coatcheck.explorer.operations.replacing import replace
from coatcheck.explorer.operations.resolving import resolve
from coatcheck.explorer.operations.searching import search
from coatcheck.explorer.operations.showing import show
from coatcheck.explorer.operations.slicing import slice_part
from coatcheck.explorer.previews.wording import escape_line_breaks
from coatcheck.explorer.tool_names import listed_as

__all__ = ["OPERATIONS", "Answer", "Document", "Operation", "locate", "preload", "reads_value"]

Operation = Callable[[Document, dict[str, Any]], Answer]


def query(document: Document, args: dict[str, Any]) -> Answer:
    """Apply a jq filter; see ``querying``, which is imported here because jq is not needed elsewhere."""
    from coatcheck.explorer.operations.querying import query

    return query(document, args)


def check_filter(document: Document, args: dict[str, Any]) -> Answer:
    """Compile a jq filter; see ``querying``."""
    from coatcheck.explorer.operations.querying import check

    return check(document, args)


def rank(document: Document, args: dict[str, Any]) -> Answer:
    """Find the passages that match some words best; see ``ranking``, imported here because only it needs SQLite."""
    from coatcheck.explorer.operations.ranking import rank

    return rank(document, args)


def _bounded(operation: Operation) -> Operation:
    def run(document: Document, args: dict[str, Any]) -> Answer:
        with listed_as(args.get("tools") or {}):
            answer = operation(document, args)
        text, limit = escape_line_breaks(well_formed(answer.text)), args.get("limit")
        if isinstance(limit, int):
            text = clip(text, limit)
        return answer if text is answer.text else with_changes(answer, text=text)

    return run


OPERATIONS: dict[str, Operation] = {
    "show": _bounded(show),
    "slice": _bounded(slice_part),
    "search": _bounded(search),
    "replace": _bounded(replace),
    "query": _bounded(query),
    "check_filter": check_filter,
    "rank": _bounded(rank),
    "resolve": _bounded(resolve),
}


def reads_value(operation: str, document: Document, args: dict[str, Any]) -> bool:
    """Whether an operation needs the decoded object; a filter on the whole object reads its JSON."""
    if operation == "check_filter":
        return False
    if operation != "query" or args.get("path"):
        return True
    from coatcheck.explorer.operations.querying import can_narrow

    return can_narrow(document, args)


def preload() -> float:
    """Import everything that the operations need and run each once, because a worker cannot import anything later.

    Returns:
        The ratio of jq's time on this machine to its measured times.
    """
    from coatcheck.explorer.operations.querying import measure_pace
    from coatcheck.explorer.operations.warmup import warm_up

    warm_up(OPERATIONS)
    return measure_pace()
