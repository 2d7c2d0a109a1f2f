"""The headers in which a request of 2026-07-28 repeats parts of its body."""

import base64
import re
from collections.abc import Iterator
from typing import Any

from coatcheck.proxy.jsonrpc import Message, parse, tool_of
from coatcheck.proxy.partial_parsing import PartialCall

MARK = "x-mcp-header"
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ENCODED = re.compile(r"=\?base64\?.*\?=")


class RequestHeaders:
    """Sets the headers of requests; listed tools declare which arguments are repeated in headers."""

    def __init__(self) -> None:
        self._marked: dict[str, dict[tuple[str, ...], str]] = {}

    def learn(self, request: Message, answer: bytes) -> None:
        """Read the declarations from the response to `tools/list`."""
        if request.get("method") != "tools/list" or MARK.encode() not in answer:
            return
        parsed = parse(answer)
        result = parsed.get("result") if isinstance(parsed, dict) else None
        params = request.get("params")
        if not (isinstance(params, dict) and params.get("cursor")):
            self._marked.clear()  # A new list, not its next page: names of previous lists must not accumulate.
        for tool in result.get("tools", []) if isinstance(result, dict) else []:
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._marked[tool["name"]] = dict(marked(tool.get("inputSchema")))

    def needs_full_parsing(self, request: Any) -> bool:
        """Whether a call was only partially parsed although headers repeat some of its arguments."""
        return isinstance(request, PartialCall) and bool(self._marked.get(tool_of(request)))

    def of(self, request: Message) -> dict[str, str]:
        """Return the headers of a request."""
        method = str(request.get("method", ""))
        params = request.get("params")
        params = params if isinstance(params, dict) else {}
        headers = {"mcp-method": method}
        name = params.get(NAMES.get(method, ""))
        if isinstance(name, str):
            headers["mcp-name"] = encoded(name)
        if method == "tools/call":
            for path, token in self._marked.get(str(name), {}).items():
                value = _at(params.get("arguments"), path)
                if isinstance(value, (str, int, float)):
                    shown = str(value).lower() if isinstance(value, bool) else str(value)
                    headers[f"mcp-param-{token}"] = encoded(shown)
        return headers


def encoded(value: str) -> str:
    """Encode a value for a header: unchanged, or in base64 with a mark."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def marked(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Return the arguments that are repeated in headers: their paths and header names."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for key, part in properties.items() if isinstance(properties, dict) else ():
        if isinstance(part, dict):
            if isinstance(part.get(MARK), str):
                yield (*path, key), part[MARK]
            yield from marked(part, (*path, key))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
