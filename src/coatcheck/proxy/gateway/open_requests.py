"""Questions that are open at a server, and its answers."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck.proxy.jsonrpc import LONG_LINE, Message, parse, parse_long
from coatcheck.proxy.partial_parsing import replace_response_id


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        line: The line that it came in; empty where that had several, or was no JSON.
        message: What it says; ``None`` where partial parsing showed that a long one names nothing of the server's.
    """

    line: bytes
    message: Message | None

    async def parsed(self) -> Message:
        """Give what it says."""
        message = await parse_long(self.line) if self.message is None else self.message
        return message if isinstance(message, dict) else {}

    def line_for(self, request_id: Any, *, checked: bool) -> bytes | None:
        """Give the line with another id; ``None`` where it may have a second one, unless that is ``checked`` later."""
        line = replace_response_id(self.line, request_id)
        if line is None or checked:
            return line
        if len(line) > LONG_LINE:
            return None
        message = parse(line)
        return line if isinstance(message, dict) and message.get("id") == request_id else None


@dataclass(slots=True)
class Asked:
    """A question that is open at a server.

    Attributes:
        answer: Where the answer goes.
        unparsed: A long response may stay unparsed where nothing in it is renamed.
        client_id: The client's request that it serves, if any.
    """

    answer: asyncio.Future[Answer]
    unparsed: bool = False
    client_id: Any = None
