"""Long lines judged by their ends, or by a search, so that they need not be parsed."""

import json
import re
from typing import Any

from coatcheck.codec import dump_json
from coatcheck.proxy.messages import Id, parse

_ID = rb'("(?:[^"\\]|\\.){0,300}"|-?[0-9]{1,18})'
_ID_FIRST = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*' + _ID + rb'\s*,\s*"(?:result|error)"\s*:'
)
_RESULT_FIRST = re.compile(rb'\s*\{\s*"(?:result|error)"\s*:')
_ID_LAST = re.compile(rb',\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*' + _ID + rb"\s*\}\s*\Z")
_METHOD_FIRST = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*(?:"id"\s*:\s*' + _ID + rb'\s*,\s*)?"method"\s*:')
_TEXT = rb'"(?:[^"\\]|\\.){0,300}"'
_SMALL_OBJECT = rb"\{(?:[^{}\"]|" + _TEXT + rb"|\{(?:[^{}\"]|" + _TEXT + rb")*+\})*+\}"
_CALL_FIRST = re.compile(
    rb'\s*\{\s*(?:(?:"jsonrpc"\s*:\s*"2\.0"|"id"\s*:\s*'
    + _ID
    + rb'|"method"\s*:\s*(?P<method>"tools/call"))\s*,\s*)+"params"\s*:\s*\{\s*(?:"_meta"\s*:\s*(?P<meta>'
    + _SMALL_OBJECT
    + rb')\s*,\s*)?"name"\s*:\s*(?P<tool>'
    + _TEXT
    + rb')\s*,\s*"arguments"\s*:'
)
_META = b'"_meta"'
_BEHIND_META = re.compile(r'\s*\}\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:[^{}]*)?\}\s*\Z')
_ENDS = 1_000
_LONGEST_META = 16_000
_ESCAPED_AT = re.compile(rb"\\u0040")


class Glance(dict[str, Any]):
    """A call without its arguments: what a glance has shown of it."""


def glance_at_id(line: bytes) -> Id | None:
    """Find the id of a long response in its first or last bytes, in the orders in which the SDKs write them.

    ``None`` where it does not show there: then the line must be parsed.
    """
    found = _find_id(line)
    if found is None:
        return None
    value = parse(line[found])
    return (type(value).__name__, value)


def glance_at_call(line: bytes) -> Glance | None:
    """Find in the first and last bytes of a long call its id, its tool and its ``_meta``: a call without its arguments.

    ``None`` where they do not show there, in the orders in which the SDKs write them: then the line must be parsed.
    """
    found = _CALL_FIRST.match(line[:_ENDS])
    if found is None or found["method"] is None:
        return None
    request_id, tool = found[1], parse(found["tool"])
    if request_id is None:
        last = _ID_LAST.search(line[-_ENDS:])
        request_id = None if last is None else last[1]
    if request_id is None or not isinstance(tool, str):
        return None
    params: dict[str, Any] = {"name": tool}
    if found["meta"] is not None:
        params["_meta"] = parse(found["meta"])
    else:
        end = line[-_LONGEST_META:]
        at = end.rfind(_META)
        if at >= 0:
            meta = _meta_at_the_end(end[at + len(_META) :])
            if meta is None:
                return None  # It may be an argument of that name, or nothing that we understand.
            params["_meta"] = meta
    return Glance(jsonrpc="2.0", id=parse(request_id), method="tools/call", params=params)


def _meta_at_the_end(end: bytes) -> Any:
    """Give what stands behind the key of a ``_meta`` with which the parameters of a request end, if it does."""
    text = end.decode("utf-8", "replace").lstrip(" \t\r\n:")
    try:
        meta, length = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return meta if _BEHIND_META.match(text, length) else None


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


def may_refer(line: bytes) -> bool:
    """Whether a reference, or a literal that looks like one, may be in a line; the quickest looks come first."""
    if b"@" in line and (b'"@obj_' in line or b'"@@' in line):
        return True
    return _ESCAPED_AT.search(line) is not None
