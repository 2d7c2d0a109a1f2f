"""Long or deep responses as the SDK's transport takes them, without decoding and encoding them."""

from typing import Any

from mcp_types import ErrorData, JSONRPCError, JSONRPCResponse
from pydantic import PrivateAttr

from coatcheck.codec import is_json
from coatcheck.proxy.client_lines import has_too_many_levels
from coatcheck.proxy.jsonrpc import INTERNAL_ERROR, PARSED_AT_ONCE, well_formed_line
from coatcheck.proxy.partial_parsing import find_response_id, is_well_formed_response


class EncodedResponse(JSONRPCResponse):
    """A response whose JSON is ready. Its ``result`` is empty.

    It returns its JSON only once, because an idle session of the SDK keeps a reference to its last response.
    """

    _line: bytes = PrivateAttr(default=b"")

    def model_dump_json(self, **options: Any) -> str:
        """Return the JSON the first time, then an error."""
        line, self._line = self._line, b""
        return line.decode() if line else response_was_sent(self.id).model_dump_json(**options)

    async def checked(self) -> "EncodedResponse | JSONRPCError":
        """Return the response, or an error if clients would not accept its JSON."""
        if await is_json(self._line):
            return self
        text = "The server's response is no JSON."
        return JSONRPCError(jsonrpc="2.0", id=self.id, error=ErrorData(code=INTERNAL_ERROR, message=text))


def response_was_sent(request_id: str | int | None) -> JSONRPCError:
    """Return what a client gets in place of a response that was sent and is not kept."""
    text = "The answer was sent while the stream was cut, and is too large or too old to be sent again: ask again."
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=INTERNAL_ERROR, message=text))


def encoded_response(line: bytes) -> EncodedResponse | None:
    """Return a response if a line is too long to be parsed, or too deep for the SDK; its ends show that it is one.

    An outer coatcheck takes deep ones. ``None`` for other lines.
    """
    fits = is_well_formed_response(line) if len(line) > PARSED_AT_ONCE else has_too_many_levels(line)
    key = find_response_id(line) if fits else None
    if key is None or isinstance(key[1], float):
        return None
    response = EncodedResponse.model_construct(jsonrpc="2.0", id=key[1], result={})
    response._line = well_formed_line(line).strip()  # noqa: SLF001  # of an own class
    return response
