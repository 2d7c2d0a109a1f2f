"""JSON-RPC messages as lines of bytes: read with care, and judged by their ends where they are long."""

import re
from typing import Any

from coatcheck.codec import aload_json, dump_json, dump_line, load_exactly, load_json

Message = dict[str, Any]
Id = tuple[str, str | int | float]
"""A request id with the name of its type: ``1``, ``"1"`` and ``1.0`` are three ids."""

LONG_LINE = 64 * 1024
PARSED_AT_ONCE = 1 << 20
"""Bytes of a line that are parsed in one go."""

INTERNAL_ERROR = -32603
METHOD_NOT_FOUND = -32601

_EXACT_UP_TO = 1 << 20
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_ID = rb'("(?:[^"\\]|\\.){0,300}"|-?[0-9]{1,18})'
_ID_FIRST = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*' + _ID + rb'\s*,\s*"(?:result|error)"\s*:'
)
_RESULT_FIRST = re.compile(rb'\s*\{\s*"(?:result|error)"\s*:')
_ID_LAST = re.compile(rb',\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*' + _ID + rb"\s*\}\s*\Z")
_METHOD_FIRST = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*(?:"id"\s*:\s*' + _ID + rb'\s*,\s*)?"method"\s*:')
_ENDS = 1_000

SESSION_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions that begin with a greeting, oldest first."""

UNSUPPORTED_VERSION = -32022
SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
PROGRESS_TOKEN = "progressToken"  # noqa: S105


def parse(line: bytes) -> Any:
    """Decode a line; ``None`` where it is no JSON.

    Integers that the fast decoder would round are kept, except in lines of many megabytes, where finding them costs
    more than everything else.
    """
    try:
        if len(line) <= _EXACT_UP_TO and _MANY_DIGITS.search(line) is not None:
            return load_exactly(line)
        return load_json(line)
    except ValueError:
        return _parse_leniently(line)


async def parse_long(line: bytes) -> Any:
    """Decode a line like ``parse``, giving the event loop its turn meanwhile."""
    if len(line) <= PARSED_AT_ONCE:
        return parse(line)
    try:
        return await aload_json(line)
    except ValueError:
        return _parse_leniently(line)


def _parse_leniently(line: bytes) -> Any:
    """Decode what the fast decoder refuses: lone surrogates, very deep nesting, ``NaN``."""
    try:
        return load_exactly(line)
    except (ValueError, RecursionError):
        return None


def looks_like_json(line: bytes) -> bool:
    """Whether a line can be a message or a batch of them."""
    start = line[:64].lstrip()[:1] or line.lstrip()[:1]
    return start in {b"{", b"["}


def to_line(message: Any) -> bytes:
    """Encode a message as a line."""
    return dump_line(message)


def id_of(message: Message) -> Id | None:
    """Give the id of a message; ``None`` where it has none."""
    value = message.get("id")
    return (type(value).__name__, value) if isinstance(value, (str, int, float)) else None


def is_request(message: Any) -> bool:
    """Whether a message is a request."""
    return isinstance(message, dict) and isinstance(message.get("method"), str) and "id" in message


def is_response(message: Any) -> bool:
    """Whether a message is an answer to a request."""
    return isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message)


def glance_at_id(line: bytes) -> Id | None:
    """Find the id of a long response in its first or last bytes, in the orders in which the SDKs write them.

    ``None`` where it does not show there: then the line must be parsed.
    """
    found = _find_id(line)
    if found is None:
        return None
    value = parse(line[found])
    return (type(value).__name__, value)


def with_other_id(line: bytes, request_id: Any) -> bytes | None:
    """Give a long response another id without parsing it; ``None`` where its own does not show at its ends."""
    found = _find_id(line)
    if found is None or line.find(b"\r", 0, len(line) - 2) >= 0:  # it would cut the line in two for who reads events
        return None
    return b"%b%b%b" % (line[: found.start], dump_json(request_id), line[found.stop :])


def _find_id(line: bytes) -> slice | None:
    found, before = _ID_FIRST.match(line[:_ENDS]), 0
    if found is None and _RESULT_FIRST.match(line[:64]):
        before = max(len(line) - _ENDS, 0)
        found = _ID_LAST.search(line[before:])
    return None if found is None else slice(before + found.start(1), before + found.end(1))


def is_surely_no_response(line: bytes) -> bool:
    """Whether the first bytes show that a line is a request or notification."""
    return _METHOD_FIRST.match(line[:_ENDS]) is not None


def error_response(request_id: Any, text: str, code: int = INTERNAL_ERROR) -> Message:
    """Give a JSON-RPC error."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}


def response(request: Message, result: Any) -> Message:
    """Answer a request with a result, which says that it is complete where the request's revision wants that said."""
    if is_modern(request):
        result = {"resultType": "complete", **result}
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def meta_of(request: Message) -> dict[str, Any]:
    """Give the ``_meta`` of a request's parameters."""
    params = request.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def is_modern(request: Message) -> bool:
    """Whether a request carries its protocol version itself, as from revision 2026-07-28 on."""
    return PROTOCOL_VERSION in meta_of(request)
