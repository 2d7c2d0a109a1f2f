"""What a session has sent, so that a client whose stream was cut can fetch what it missed; bounded."""

from collections import deque
from dataclasses import dataclass
from secrets import token_hex

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCResponse

from coatcheck.proxy.jsonrpc import INTERNAL_ERROR

MOST_BYTES = 2 << 20
"""Bytes of messages that one session keeps."""

MOST_EVENTS = 1_000
RETRY_MILLISECONDS = 1_000
"""What a client is told to wait before it connects again."""


@dataclass(slots=True)
class _Event:
    """A message of a stream; ``None`` marks the stream's beginning, or a message that is not kept any more."""

    stream: str
    number: int
    message: JSONRPCMessage | None
    size: int


class SentEvents(EventStore):
    """The last events of one session. Only that session asks it, and the ids of another's lead to nothing.

    Of an answer that had to be given up a word is left: a client that comes back for it must not wait for ever.
    """

    def __init__(self) -> None:
        self._tag = token_hex(4)
        self._count = 0
        self._bytes = 0
        self._events: deque[_Event] = deque()
        self._sizes: dict[int, int] = {}

    def expect(self, message: JSONRPCMessage, size: int) -> None:
        """Say how large a message is that will be stored; it is known already and need not be counted again."""
        self._sizes[id(message)] = size

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event and give its id; see ``EventStore``."""
        self._count += 1
        size = self._sizes.pop(id(message), 0)
        self._events.append(_Event(stream_id, self._count, message, size))
        self._bytes += size
        self._shrink()
        return self._id(self._count)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what a stream has had since an event; gives the stream if more may come, see ``EventStore``."""
        last = next((event for event in self._events if self._id(event.number) == last_event_id), None)
        if last is None:
            return None
        for event in [event for event in self._events if event.stream == last.stream and event.number > last.number]:
            if event.message is not None:
                await send_callback(EventMessage(event.message, self._id(event.number)))
            if isinstance(event.message, (JSONRPCResponse, JSONRPCError)):
                return None  # Nothing comes after the answer.
        return last.stream

    def _id(self, number: int) -> str:
        return f"{self._tag}-{number}"

    def _shrink(self) -> None:
        while len(self._events) > MOST_EVENTS:
            self._bytes -= self._events.popleft().size
        for event in self._events:
            if self._bytes <= MOST_BYTES:
                break
            self._bytes -= event.size
            event.message, event.size = _given_up(event.message), 0


def _given_up(message: JSONRPCMessage | None) -> JSONRPCMessage | None:
    if isinstance(message, (JSONRPCResponse, JSONRPCError)):
        text = "The answer was sent while the stream was cut, and is too large or too old to be sent again: ask again."
        return JSONRPCError(jsonrpc="2.0", id=message.id, error=ErrorData(code=INTERNAL_ERROR, message=text))
    return None
