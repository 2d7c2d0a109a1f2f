"""Responses of an upstream, parsed or not, and the futures that wait for them."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck.proxy.jsonrpc import LONG_LINE, Message, parse, parse_long
from coatcheck.proxy.partial_parsing import replace_response_id


class UpstreamResponse(NamedTuple):
    """What a server answered.

    Attributes:
        line: The line that it came in; empty where that had several, or was no JSON.
        message: What it says; ``None`` if partial parsing showed that a long one names nothing of the server's.
    """

    line: bytes
    message: Message | None

    async def parsed(self) -> Message:
        """Return what it says."""
        message = await parse_long(self.line) if self.message is None else self.message
        return message if isinstance(message, dict) else {}

    def line_for(self, request_id: Any, *, checked: bool) -> bytes | None:
        """Return the line with another id; ``None`` if it may have a second one, unless that is ``checked`` later."""
        line = replace_response_id(self.line, request_id)
        if line is None or checked:
            return line
        if len(line) > LONG_LINE:
            return None
        message = parse(line)
        return line if isinstance(message, dict) and message.get("id") == request_id else None


@dataclass(slots=True, eq=False)
class ResponseWaiter:
    """Waits for a response.

    Attributes:
        response: Gets the response.
        unparsed: A long response may stay unparsed where nothing in it is renamed.
    """

    response: asyncio.Future[UpstreamResponse]
    unparsed: bool = False

    def give(self, response: UpstreamResponse) -> None:
        """Deliver the response, unless it is no longer awaited."""
        if not self.response.done():
            self.response.set_result(response)
