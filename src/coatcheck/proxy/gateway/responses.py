"""Responses of an upstream, parsed or not, and the futures that wait for them."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck.proxy.jsonrpc import LONG_LINE, Message, parse, parse_long
from coatcheck.proxy.partial_parsing import replace_response_id


class UpstreamResponse(NamedTuple):
    """A response of a server."""

    line: bytes  # its line; empty if the line had several messages or was not JSON
    # The parsed response; `None` if partial parsing showed that nothing in a long one needs renaming.
    message: Message | None

    async def parsed(self) -> Message:
        """Return the parsed response."""
        message = await parse_long(self.line) if self.message is None else self.message
        return message if isinstance(message, dict) else {}

    def line_for(self, request_id: Any, *, checked: bool) -> bytes | None:
        """Return the line with another id; ``None`` if it may have a second id, unless that is ``checked`` later."""
        line = replace_response_id(self.line, request_id)
        if line is None or checked:
            return line
        if len(line) > LONG_LINE:
            return None
        message = parse(line)
        return line if isinstance(message, dict) and message.get("id") == request_id else None


@dataclass(slots=True, eq=False)
class ResponseWaiter:
    """Waits for a response."""

    response: asyncio.Future[UpstreamResponse]  # resolved with the response
    unparsed: bool = False  # whether a long response may stay unparsed if nothing in it is renamed

    def give(self, response: UpstreamResponse) -> None:
        """Deliver the response, unless the request was cancelled."""
        if not self.response.done():
            self.response.set_result(response)
