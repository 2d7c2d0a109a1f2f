"""Questions that are open at a server, and its answers."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from coatcheck.proxy.messages import Message, parse


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        line: The line that it came in; empty where that had several.
        message: What it says; ``None`` where a glance showed that a long one names nothing of the server's.
    """

    line: bytes
    message: Message | None

    def opened(self) -> Message:
        """Give what it says."""
        message = parse(self.line) if self.message is None else self.message
        return message if isinstance(message, dict) else {}


@dataclass(slots=True)
class Asked:
    """A question that is open at a server.

    Attributes:
        answer: Where the answer goes.
        unopened: A glance at a long answer will do, where that shows enough.
        client_id: The client's request that it serves, if any.
    """

    answer: asyncio.Future[Answer]
    unopened: bool = False
    client_id: Any = None
