"""JSON-RPC messages as lines of bytes: lenient parsing, strict encoding."""

from codecs import BOM_UTF8
from contextlib import suppress
from typing import Any

from coatcheck.codec import (
    BEYOND_64_BITS,
    Chunks,
    aload_json,
    dump_line,
    has_digits,
    load_exactly,
    load_json,
    replace_escaped_surrogates,
)

Message = dict[str, Any]
Id = tuple[str, str | int | float]
"""A request id with the name of its type: ``1`` and ``"1"`` differ, ``1`` and ``1.0`` are equal."""

LONG_LINE = 64 * 1024
PARSED_AT_ONCE = 1 << 20
"""Bytes up to which a line is parsed without yielding to the event loop."""

INTERNAL_ERROR = -32603
MAX_EVENT_BYTES = 1_000_000
"""Bytes of an event up to which all clients over HTTP accept it: some end the stream of a call for a larger one."""

METHOD_NOT_FOUND = -32601

_EXACT_UP_TO = 1 << 20
_OF_RESPONSES = frozenset({"id", "result", "error"})
SESSION_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions with `initialize`, oldest first."""

UNSUPPORTED_VERSION = -32022
SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
GATEWAY_NAME = "coatcheck"
"""The name of several servers that are wrapped together."""
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
PROGRESS_TOKEN = "progressToken"  # noqa: S105


def parse_line(line: bytes) -> tuple[Any, bytes]:
    """Decode a line like ``parse``, and return it with ``U+FFFD`` in place of bytes that are not UTF-8."""
    message = _parse_fast(line)
    if message is not None:
        return message, line
    line = line.decode("utf-8", "replace").encode()
    return _parse_leniently(line), line


def parse_server_line(line: bytes) -> tuple[Any, bytes]:
    """Do the same with a line of a server, and write ``NaN`` and infinities as null, which strict parsers read."""
    message, line = parse_line(line)
    if message is not None and (b"NaN" in line or b"Infinity" in line):
        with suppress(ValueError):
            load_json(line)  # It is within a text.
            return message, line
        return message, to_line(message)
    return message, line


def parse(line: bytes) -> Any:
    """Decode a line; ``None`` if it is not JSON.

    Integers that the fast decoder would round are kept, except in lines of many megabytes, where finding them costs
    more than everything else.
    """
    message = _parse_fast(line)
    return _parse_leniently(line) if message is None else message


def _parse_fast(line: bytes) -> Any:
    try:
        if len(line) <= _EXACT_UP_TO and has_digits(line, BEYOND_64_BITS):
            return load_exactly(line)
        return load_json(line)
    except (ValueError, RecursionError):
        return None


async def parse_long(line: bytes, chunks: Chunks | None = None) -> Any:
    """Decode a line like ``parse``, yielding to the event loop meanwhile; see ``codec.free_chunks`` for its chunks."""
    if len(line) <= PARSED_AT_ONCE:
        return parse(line)
    try:
        return await aload_json(line, chunks)
    except ValueError:
        return _parse_leniently(line)


def _parse_leniently(line: bytes) -> Any:
    """Decode what the fast decoder refuses: lone surrogates, very deep nesting, ``NaN``, bytes that are not UTF-8."""
    try:
        return load_exactly(line)
    except UnicodeDecodeError:
        return _parse_leniently(line.decode("utf-8", "replace").encode())
    except (ValueError, RecursionError):
        return None


def without_mark(line: bytes) -> bytes:
    """Remove the byte order mark with which some servers and clients start."""
    return line.removeprefix(BOM_UTF8)


def looks_like_json(line: bytes) -> bool:
    """Whether a line can be a message or a batch of them."""
    start = line[:64].lstrip()[:1] or line.lstrip()[:1]
    return start in {b"{", b"["}


def to_line(message: Any) -> bytes:
    """Encode a message as a line."""
    return dump_line(message)


def well_formed_line(line: bytes) -> bytes:
    """Return a line with ``U+FFFD`` in place of lone surrogates and of bytes that are not UTF-8.

    Strict parsers refuse the whole line because of them, and some clients exit.
    """
    has_surrogates = b"\\ud" in line or b"\\uD" in line
    if not has_surrogates and (len(line) <= LONG_LINE or line.isascii()):  # A short one was parsed; see `parse_line`.
        return line
    with suppress(ValueError):
        load_json(line) if has_surrogates else line.decode()
        return line
    text = line.decode("utf-8", "replace")
    return (replace_escaped_surrogates(text) if has_surrogates else text).encode()


def id_of(message: Message) -> Id | None:
    """Return the id of a message; ``None`` if it has none."""
    value = message.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Some servers read all numbers as floats: 3.0 is the 3 that they received.
    return (type(value).__name__, value) if isinstance(value, (str, int, float)) else None


def number_of(value: Any) -> int:
    """Return the proxy's numeric id from a response; 0, which is not used, for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 18:  # noqa: PLR2004
        return int(value)  # Some servers convert ids to strings.
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def is_request(message: Any) -> bool:
    """Whether a message is a request."""
    return isinstance(message, dict) and isinstance(message.get("method"), str) and "id" in message


def request_key(message: Any) -> Id | None:
    """Return the id of a request; ``None`` for everything else, and for a request with an invalid id."""
    return id_of(message) if is_request(message) else None


def is_message(message: Any) -> bool:
    """Whether a value is a JSON-RPC 2.0 message, not an object that only starts like one."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return False
    return isinstance(message.get("method"), str) or ("id" in message and ("result" in message or "error" in message))


def is_response(message: Any) -> bool:
    """Whether a message is a response, possibly a malformed one; see ``response_checks``."""
    if not isinstance(message, dict) or ("jsonrpc" not in message and not message.keys() <= _OF_RESPONSES):
        return False  # A log line may have an id and an error.
    return (
        "result" in message
        or "error" in message
        or ("id" in message and "jsonrpc" in message and not isinstance(message.get("method"), str))
    )


def error_response(request_id: Any, text: str, code: int = INTERNAL_ERROR) -> Message:
    """Return a JSON-RPC error."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}


def response(request: Message, result: Any) -> Message:
    """Build a response with a result, which is marked as complete if the request's revision requires it."""
    if is_modern(request):
        result = {"resultType": "complete", **result}
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def meta_of(request: Message) -> dict[str, Any]:
    """Return the ``_meta`` of a request's parameters."""
    params = request.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def server_info_of(handshake_result: dict[str, Any]) -> dict[str, Any]:
    """Return the server's name and version from its handshake result."""
    meta = handshake_result.get("_meta")
    found = handshake_result.get("serverInfo") or (meta.get(SERVER_INFO) if isinstance(meta, dict) else None)
    return found if isinstance(found, dict) else {}


def supported_versions(discover_result: dict[str, Any]) -> set[str]:
    """Return the revisions that a result of ``server/discover`` names."""
    versions = discover_result.get("supportedVersions")
    return {version for version in versions if isinstance(version, str)} if isinstance(versions, list) else set()


def text_of(value: Any) -> str:
    """Return a value that should be a text; ``""`` for anything else, such as a number too long to be written out."""
    return value if isinstance(value, str) else ""


def tool_of(call: Message) -> str:
    """Return the name of the tool that is called, ``""`` if there is none."""
    params = call.get("params")
    return text_of(params.get("name")) if isinstance(params, dict) else ""


def is_modern(request: Message) -> bool:
    """Whether a request contains its protocol version, as of revision 2026-07-28; a legacy one does not."""
    return PROTOCOL_VERSION in meta_of(request)
