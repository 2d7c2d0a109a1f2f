"""Errors of workers for the caller: the limit that was exceeded, and what to do instead."""

from typing import Any

from coatcheck.errors import (
    ArgumentRejected,
    CoatcheckError,
    FilterError,
    ObjectUnreadable,
    PathNotFound,
    PatternError,
    ReferenceSyntaxError,
    SandboxFailed,
    SandboxMemoryExceeded,
    SandboxOutputExceeded,
    SandboxTimeout,
    excerpt,
)
from coatcheck.explorer.sandbox.channel import MAX_HEADER_BYTES
from coatcheck.explorer.sandbox.worker_limits import MEBIBYTE, Limits

MAX_MESSAGE_CHARACTERS = 2000
MAX_DETAIL_CHARACTERS = 200
LARGE_BYTES = 5 * MEBIBYTE
"""Bytes from which an object's size is a likely reason for a timeout."""

_CARRIED: dict[str, type[CoatcheckError]] = {
    kind.__name__: kind
    for kind in (ArgumentRejected, FilterError, ObjectUnreadable, PathNotFound, PatternError, ReferenceSyntaxError)
}


class UnknownOperationError(Exception):
    """The parent requested an unknown operation: a bug of ours, not a fault of the value."""


def describe(error: BaseException) -> dict[str, Any]:
    """In the worker: encode an error as a header. Errors that end the process have no text."""
    if isinstance(error, MemoryError):
        return {"status": "error", "error": SandboxMemoryExceeded.__name__}
    if isinstance(error, SandboxOutputExceeded):
        return {"status": "error", "error": SandboxOutputExceeded.__name__}
    carried = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _CARRIED), None)
    if carried is not None:
        return {"status": "error", "error": carried, "message": str(error)[:MAX_MESSAGE_CHARACTERS]}
    if isinstance(error, Exception) and not isinstance(error, UnknownOperationError):
        return {"status": "error", "error": ArgumentRejected.__name__, "message": _sentence(error)}
    return {"status": "error", "error": "unexpected"}


def _sentence(error: Exception) -> str:
    """Explain an unexpected exception of an operation in terms of the value."""
    if isinstance(error, RecursionError):
        return "The value or the argument is nested too deeply for this. Work on a part of it with a path."
    if isinstance(error, OverflowError):
        reason = "a number in it, or in the arguments, is too large for this operation"
    else:
        detail = excerpt(str(error), MAX_DETAIL_CHARACTERS)
        reason = type(error).__name__ + (f": {detail}" if detail else "")
    return (
        f"The operation does not work on this value ({reason}). Work on another part of it with a path, "
        "or read its exact text with raw=true."
    )


def is_expected(header: dict[str, Any]) -> bool:
    """Whether the error in a header is the caller's own, so that the worker stays usable."""
    return header.get("error") in _CARRIED


def error_from_header(header: dict[str, Any], limits: Limits) -> CoatcheckError:
    """In the parent: decode the error of a header."""
    name = header.get("error")
    kind = _CARRIED.get(name) if isinstance(name, str) else None
    message = header.get("message")
    if kind is not None and isinstance(message, str):
        return kind(message[:MAX_MESSAGE_CHARACTERS])
    if name == SandboxMemoryExceeded.__name__:
        return out_of_memory(limits)
    if name == SandboxOutputExceeded.__name__:
        return output_exceeded(limits)
    return SandboxFailed("The operation failed inside the sandbox. Try another way to get at the data.")


def timed_out(limits: Limits, size: float) -> SandboxTimeout:
    """The operation took too long on an object of ``size`` bytes."""
    part = ""
    if size > LARGE_BYTES:
        part = f" Of the object's {size:,.0f} bytes, work on a part: name it by a path such as [0:10000]."
    return SandboxTimeout(
        f"Stopped after {limits.timeout:g} s, the most one operation may take.{part} Use a simpler pattern or filter "
        '(no nested repetition such as "(a+)+", no endless recursion; in jq split a long text into lines first, '
        r'split("\n") | map(…)), or narrow the work down with a path.'
    )


def slow() -> SandboxTimeout:
    """The operation did not start in time."""
    return SandboxTimeout(
        "The object could not be handed to the sandbox and decoded in time; the machine is overloaded or slow. Try "
        "again; if it stays so, the operator can raise sandbox_timeout."
    )


def busy(seconds: float) -> SandboxTimeout:
    """No worker became free."""
    return SandboxTimeout(
        f"Other operations are still running; none ended within {seconds:g} s. Try again, with fewer calls at once."
    )


def out_of_memory(limits: Limits) -> SandboxMemoryExceeded:
    """The operation needed more memory than a worker has."""
    return SandboxMemoryExceeded(
        f"Stopped: the operation needed more than the {limits.memory_bytes // MEBIBYTE:,} MiB of memory it may have. "
        "Ask for less, for example with a path, a slice, or a filter that keeps only what is needed."
    )


def output_exceeded(limits: Limits) -> SandboxOutputExceeded:
    """The answer was too large."""
    return SandboxOutputExceeded(
        f"Stopped: the result is larger than the {limits.output_bytes // MEBIBYTE:,} MiB it may have. "
        "Ask for less, for example with a narrower filter or path."
    )


def arguments_too_long() -> ArgumentRejected:
    """Pattern, filter, replacement or path do not fit into one request."""
    return ArgumentRejected(f"The arguments are longer than {MAX_HEADER_BYTES:,} bytes. Shorten the pattern or filter.")


def died() -> SandboxFailed:
    """The worker process ended twice."""
    return SandboxFailed("The sandbox process ended unexpectedly, also at a second try. Try again later.")


def broken_answer() -> SandboxFailed:
    """The worker sent a malformed answer."""
    return SandboxFailed("The sandbox gave no usable answer; its process was replaced. Try another way to get at it.")


def closed() -> SandboxFailed:
    """The sandbox was closed."""
    return SandboxFailed("The sandbox is closed; the server is shutting down.")


def not_started(reason: str) -> SandboxFailed:
    """No worker could be started."""
    return SandboxFailed(
        f"A sandbox process could not be started ({reason}). Patterns, filters and large objects need it."
    )
