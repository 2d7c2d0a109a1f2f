"""Partial parsing of long lines: by their ends, by a search, or without their long strings."""

import re
from collections.abc import Sequence
from typing import Any

from coatcheck.codec import adump_line, dump_json
from coatcheck.proxy.jsonrpc import Id, Message, is_request, parse, to_line

_ID = rb'("(?:[^"\\]|\\.){0,300}"|-?[0-9]{1,18})'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID_FIRST = re.compile(
    rb'\s*\{\s*(?:%b\s*,\s*)?"id"\s*:\s*%b\s*,\s*(?:%b\s*,\s*)?"(?:result|error)"\s*:' % (_VERSION, _ID, _VERSION)
)
_RESULT_FIRST = re.compile(rb'\s*\{\s*"(?:result|error)"\s*:')
_ID_LAST = re.compile(
    rb',\s*(?:%b\s*,\s*"id"\s*:\s*%b|"id"\s*:\s*%b\s*,\s*%b)\s*\}\s*\Z' % (_VERSION, _ID, _ID, _VERSION)
)
_BEGINS_WITH_RESULT = re.compile(
    rb'\s*\{\s*(?:%b\s*,\s*"id"\s*:\s*%b\s*,\s*|"id"\s*:\s*%b\s*,\s*%b\s*,\s*)"result"\s*:\s*\{'
    % (_VERSION, _ID, _ID, _VERSION)
)
_ENDS_WITH_RESULT = re.compile(rb"\}\s*\}\s*\Z")
_RESULT_FIRST_OF_ALL = re.compile(rb'\s*\{\s*"result"\s*:\s*\{')
_RESULT_BEFORE_ID = re.compile(rb"\}\s*" + _ID_LAST.pattern)
_METHOD_FIRST = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*(?:"id"\s*:\s*' + _ID + rb'\s*,\s*)?"method"\s*:')
_BEGINS_AS_REQUEST = re.compile(
    rb'\s*\{\s*(?:%b\s*,\s*)?(?:"id"\s*:\s*%b\s*,\s*)?(?:%b\s*,\s*)?"method"\s*:' % (_VERSION, _ID, _VERSION)
)
_OF_BROKEN = re.compile(
    rb"""\s*\{\s*["']jsonrpc["']\s*:\s*["']2\.0["']\s*,\s*(?:["']id["']\s*:\s*%b(?!\s*,\s*["']?method)|["']?(?:result|error))"""
    % _ID
)
_ID_AT_THE_END = re.compile(rb"""["']id["']\s*:\s*%b[\s}]*\Z""" % _ID)
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_ID_AS_LAST_MEMBER = re.compile(rb'"id"\s*:\s*%b\s*\}\s*\Z' % _ID)
_ENDS = 1_000
_MAX_QUOTES, _LONG_TEXT = 400, 4_000
_MARKS = (b"@ob", b"@\\", b"@OB", b"@Ob", b"@oB")
_STAND_IN = rb"\u0000 the long text "
_STANDING_IN = re.compile(re.escape(_STAND_IN) + rb"([0-9]{1,3}) ")


class PartialCall(dict[str, Any]):
    """A call whose long argument texts are replaced by placeholders.

    Attributes:
        texts: The long texts, as JSON without quotation marks.
    """

    def __init__(self, message: Message, texts: Sequence[memoryview]) -> None:
        super().__init__(message)
        self.texts = texts


def find_response_id(line: bytes) -> Id | None:
    """Find the id of a long response in its first or last bytes, in the member orders of the SDKs.

    ``None`` if it is not there: then the line must be parsed.
    """
    found = _find_id(line)
    if found is None:
        return None
    value = parse(line[found])
    return (type(value).__name__, value)


def contradicting_ids(line: bytes) -> tuple[Id, ...]:
    """Return both ids of a response that has two; parsers use either, so that the other's request would stay open."""
    at = line.rfind(b'"id"', max(len(line) - _ENDS, 0))
    is_single = at < 0 or line.find(b'"id"', 0, _ENDS) == at
    last = None if is_single else _ID_AS_LAST_MEMBER.match(line[at:])
    first = None if last is None else _ID_FIRST.match(line[:_ENDS])
    if last is None or first is None or first.lastindex is None:
        return ()
    ids = [parse(last[1]), parse(first[first.lastindex])]
    return () if dump_json(ids[0]) == dump_json(ids[1]) else tuple((type(each).__name__, each) for each in ids)


def find_broken_response_id(line: bytes) -> Id | None:
    """Find the id of a response that is not JSON; ``None`` if it names none, or a method."""
    key = find_response_id(line)
    found = _OF_BROKEN.match(line[:_ENDS]) if key is None else None
    if found is None:
        return key
    if found[1] is None:
        found = _ID_AT_THE_END.search(line[-_ENDS:])
    value = None if found is None else parse(found[1])
    return None if value is None else (type(value).__name__, value)


def find_request_id(line: bytes) -> Id | None:
    """Find the id of a request that may not be JSON in its first or last bytes, in the member orders of the SDKs."""
    found = _BEGINS_AS_REQUEST.match(line[:_ENDS])
    if found is not None and found[1] is None:
        found = _ID_AS_LAST_MEMBER.search(line[-_ENDS:])
    value = None if found is None else parse(found[1])
    return None if value is None else (type(value).__name__, value)


def is_well_formed_response(line: bytes) -> bool:
    """Whether both ends of a long line are those of a valid response whose result is an object."""
    start, end = line[:_ENDS], line[-_ENDS:]
    if _BEGINS_WITH_RESULT.match(start):
        return _ENDS_WITH_RESULT.search(end) is not None
    return _RESULT_FIRST_OF_ALL.match(start) is not None and _RESULT_BEFORE_ID.search(end) is not None


def parse_call_partially(line: bytes) -> PartialCall | None:
    """Parse a long call without its long strings; the rest equals the result of full parsing.

    ``None`` if it is not a call, or has so many strings that nothing is saved: then the line must be parsed.
    """
    outline, texts = _outline(line)
    message: Any = None if outline is None else parse(outline)
    if not is_request(message) or message["method"] != "tools/call" or not isinstance(message.get("params"), dict):
        return None
    standing_in = sorted(map(int, _STANDING_IN.findall(dump_json(message))))
    if _STAND_IN in dump_json(without_arguments(message)) or standing_in != list(range(len(texts))):
        return (
            None  # A long string in another place, one that a later member replaces, or one that equals a placeholder.
        )
    return PartialCall(message, texts)


def without_arguments(call: Message) -> Message:
    """Return a call without its arguments."""
    params = {key: value for key, value in call["params"].items() if key != "arguments"}
    return {**call, "params": params}


def with_members(message: Message, **members: Any) -> Message:
    """Return the same message, or the same `PartialCall`, with other members."""
    copy = {**message, **members}
    return PartialCall(copy, message.texts) if isinstance(message, PartialCall) else copy


def encode_message(message: Message) -> bytes:
    """Encode a message as a line; the long strings of a `PartialCall` are restored."""
    line = to_line(message)
    if not isinstance(message, PartialCall):
        return line
    pieces = _STANDING_IN.split(line)
    pieces[1::2] = [message.texts[int(number)] for number in pieces[1::2]]
    return b"".join(pieces)


async def aencode_message(message: Message) -> bytes:
    """As ``encode_message``, yielding to the event loop if it takes long."""
    return encode_message(message) if isinstance(message, PartialCall) else await adump_line(message)


def _outline(line: bytes) -> tuple[bytes | None, list[memoryview]]:
    """Replace long strings by placeholders and return both; ``None`` if there are too many strings.

    The end of a string is found by quotation marks and the backslashes before them. If something long is not a string,
    the outcome is not JSON, because a placeholder is invalid outside a string.
    """
    parts: list[bytes] = []
    texts: list[memoryview] = []
    start = 0
    for _ in range(_MAX_QUOTES):
        mark = line.find(b'"', start)
        if mark < 0:
            parts.append(line[start:])
            return (b"".join(parts) if len(parts[-1]) <= _LONG_TEXT else None), texts
        if mark - start <= _LONG_TEXT:
            parts.append(line[start : mark + 1])
        else:
            before = line[max(start, mark - _LONG_TEXT) : mark]
            backslashes = len(before) - len(before.rstrip(b"\\"))
            if backslashes == len(before):
                break
            end = mark - backslashes % 2  # A last backslash belongs to the following quotation mark.
            parts.append(b"%b%d %b" % (_STAND_IN, len(texts), line[end : mark + 1]))
            texts.append(memoryview(line)[start:end])
        start = mark + 1
    return None, texts


def replace_response_id(line: bytes, request_id: Any) -> bytes | None:
    """Replace the id of a long response without parsing it; ``None`` if its own is not at its ends."""
    found = _find_id(line)
    if found is None or line.find(b"\r", 0, len(line) - 2) >= 0:  # it would split the line for readers of events
        return None
    whole = memoryview(line)
    return b"".join((whole[: found.start], dump_json(request_id), whole[found.stop :]))


def _find_id(line: bytes) -> slice | None:
    found, before = _ID_FIRST.match(line[:_ENDS]), 0
    if found is None and _RESULT_FIRST.match(line[:64]):
        before = max(len(line) - _ENDS, 0)
        found = _ID_LAST.search(line[before:])
    if found is None or found.lastindex is None:
        return None
    return slice(before + found.start(found.lastindex), before + found.end(found.lastindex))


def is_certainly_request(line: bytes) -> bool:
    """Whether the first bytes show that a line is a request or notification."""
    return _METHOD_FIRST.match(line[:_ENDS]) is not None


def has_escaped_letters(line: bytes) -> bool:
    """Whether a name in a line may contain escaped letters, which a search would miss; only an attacker does that."""
    return b"\\u00" in line and _ESCAPED_LETTER.search(line) is not None


def may_contain_references(line: bytes) -> bool:
    """Whether a line may contain a reference or a text that looks like one; each search of 26 MB takes some 10 ms."""
    if b"@" in line and any(mark in line for mark in _MARKS):
        return True
    if b"_" in line and b"obj_" in line:  # without @; one character is found ten times as fast as several
        return True
    return b"\\" in line and b"\\u0040" in line
