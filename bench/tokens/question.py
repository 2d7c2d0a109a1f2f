"""A question: the result that it is about, its answer, and the calls of the client."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """A question about a recorded result.

    Attributes:
        result: The result's name; its preview is the first text that is read.
        text: The question.
        answer: Computes the answer from the recorded result; it must be in the last text that is read.
        calls: Names of object tools, without ``object_store_``, and their arguments, without the reference.
        needle: Words that a search for the answer would use, for peers without filters.
    """

    result: str
    text: str
    answer: Callable[[], Any]
    calls: tuple[Call, ...]
    needle: str = ""


def get(path: str) -> Call:
    """Read a part."""
    return "get", {"path": path}


def query(filter_: str, path: str = "") -> Call:
    """Apply a jq filter."""
    return "query", {"filter": filter_} | ({"path": path} if path else {})


def grep(pattern: str, **more: Any) -> Call:
    """Search."""
    return "grep", {"pattern": pattern} | more
