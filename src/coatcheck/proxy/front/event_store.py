"""The events that a session has sent, bounded, so that a client can resume a broken stream."""

from collections import deque
from dataclasses import dataclass, field
from secrets import token_hex

import anyio
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCResponse

from coatcheck.proxy.jsonrpc import INTERNAL_ERROR

MAX_BYTES = 2 << 20
"""Bytes of messages that one session keeps."""

MAX_EVENTS = 1_000
RETRY_MILLISECONDS = 1_000
"""What a client is told to wait before it connects again."""


@dataclass(slots=True)
class _Event:
    """A message of a stream; ``None`` marks the stream's beginning, or a message that is not kept any more."""

    stream: str
    number: int
    message: JSONRPCMessage | None
    size: int


@dataclass(slots=True, eq=False)
class _Follower:
    """A client that has come back for a stream and gets what is still to come.

    Attributes:
        send: Sends it an event.
        sent: Number of the last event that it has.
        turn: Held while events are sent, so that they go out in their order.
        ended: Set when nothing more comes.
    """

    send: EventCallback
    sent: int
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    ended: anyio.Event = field(default_factory=anyio.Event)


class SessionEvents(EventStore):
    """The last events of one session; event ids of another session find nothing.

    A response that was dropped is replaced by an error: a client that resumes must not wait forever.

    A client that has come back gets what is still to come from here as well. The SDK would send it from a stream of its
    own, which it opens only some turns of the event loop after it has sent what was missed: what came in between, maybe
    the answer, would be lost.
    """

    def __init__(self) -> None:
        self._followers: dict[str, _Follower] = {}
        self._tag = token_hex(4)
        self._count = 0
        self._bytes = 0
        self._events: deque[_Event] = deque()
        self._sizes: dict[int, int] = {}

    def expect(self, message: JSONRPCMessage, size: int) -> None:
        """Describe how large a message is that will be stored; it is known already and need not be counted again."""
        self._sizes[id(message)] = size

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event and give its id; see ``EventStore``."""
        self._count += 1
        size = self._sizes.pop(id(message), 0)
        self._events.append(_Event(stream_id, self._count, message, size))
        self._bytes += size
        number = self._count
        if (follower := self._followers.get(stream_id)) is not None:
            await self._catch_up(follower, stream_id)
        self._shrink()
        return self._id(number)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what a stream has had since an event, and what it has from now on; see ``EventStore``.

        Returns:
            ``None``, once the answer has been sent or the stream was ended; at once for an unknown event and an answer.
        """
        last = next((event for event in self._events if self._id(event.number) == last_event_id), None)
        if last is None or _is_answer(last.message):
            return None
        self.end(last.stream)  # A client that comes back again has left the stream of its last return.
        follower = self._followers[last.stream] = _Follower(send_callback, last.number)
        try:
            await self._catch_up(follower, last.stream)
            await follower.ended.wait()
        finally:
            if self._followers.get(last.stream) is follower:
                del self._followers[last.stream]
        return None

    def end(self, stream_id: str) -> None:
        """Send nothing more to a client that has come back for a stream."""
        if (follower := self._followers.pop(stream_id, None)) is not None:
            follower.ended.set()

    def close(self) -> None:
        """End all streams that clients have come back for."""
        for stream_id in list(self._followers):
            self.end(stream_id)

    async def _catch_up(self, follower: _Follower, stream_id: str) -> None:
        """Send a client what its stream has that it has not; nothing comes after the answer."""
        async with follower.turn:
            for event in [each for each in self._events if each.stream == stream_id and each.number > follower.sent]:
                if follower.ended.is_set():
                    return
                follower.sent = event.number
                if event.message is None:
                    continue
                try:
                    await follower.send(EventMessage(event.message, self._id(event.number)))
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):  # the client has gone again
                    follower.ended.set()
                if _is_answer(event.message):
                    follower.ended.set()

    def _id(self, number: int) -> str:
        return f"{self._tag}-{number}"

    def _shrink(self) -> None:
        while len(self._events) > MAX_EVENTS:
            self._bytes -= self._events.popleft().size
        for event in self._events:
            if self._bytes <= MAX_BYTES:
                break
            self._bytes -= event.size
            event.message, event.size = _given_up(event.message), 0


def _given_up(message: JSONRPCMessage | None) -> JSONRPCMessage | None:
    if isinstance(message, (JSONRPCResponse, JSONRPCError)):
        text = "The answer was sent while the stream was cut, and is too large or too old to be sent again: ask again."
        return JSONRPCError(jsonrpc="2.0", id=message.id, error=ErrorData(code=INTERNAL_ERROR, message=text))
    return None


def _is_answer(message: JSONRPCMessage | None) -> bool:
    return isinstance(message, (JSONRPCResponse, JSONRPCError))
