"""Lines from a client in a form that servers read: official servers drop others, and answer never."""

import re
from collections.abc import Callable

from coatcheck.codec.chunked.yield_budget import YieldBudget
from coatcheck.proxy.client_lines import has_too_many_levels
from coatcheck.proxy.client_requests import ClientRequests
from coatcheck.proxy.jsonrpc import PARSED_AT_ONCE, error_response, to_line, well_formed_line, without_mark
from coatcheck.proxy.partial_parsing import find_request_id

PARSE_ERROR = -32700

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Complete pairs are matched as well, so that the search continues after them; each begins with one backslash, for which
# the search is fast.
_ESCAPE = re.compile(
    rb"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def well_formed_request(line: bytes) -> bytes:
    """Return a line without a byte order mark and, unless it is long, as ``well_formed_line`` does."""
    line = without_mark(line)
    return line if len(line) > PARSED_AT_ONCE else well_formed_line(line)


def needs_repair(line: bytes) -> bool:
    """Whether a line is long and may have the escapes of lone surrogates."""
    return len(line) > PARSED_AT_ONCE and b"\\" in line and _SURROGATE.search(line) is not None


async def repair(line: bytes, take: Callable[[bytes], None]) -> None:
    """Call ``take`` with a line that was ``repaired``."""
    take(await repaired(line))


async def repaired(line: bytes) -> bytes:
    """Return a long line without a byte order mark and lone surrogates, yielding to the event loop."""
    line = without_mark(line)
    fixed: bytearray | None = None
    yielding = YieldBudget()
    for found in _ESCAPE.finditer(line):
        if found.lastindex:
            fixed = bytearray(line) if fixed is None else fixed
            fixed[found.start() : found.end()] = rb"\ufffd"
        if yielding.should_yield():
            await yielding.pause()
    return line if fixed is None else bytes(fixed)


def refusal_of_unreadable(line: bytes, pending: ClientRequests) -> bytes | None:
    """Return an error for a request that is not JSON or nested too deeply, and not another of those that are pending.

    Servers drop such a request, or would receive its references unresolved.
    """
    key = find_request_id(line)
    if key is None or key in pending:
        return None
    if has_too_many_levels(line):
        fault = "The request is nested too deeply to be read. Pass flatter arguments."
    else:
        fault = "The request is not valid JSON."
    return to_line(error_response(key[1], fault, PARSE_ERROR))
