"""The recent events of a session, bounded, with which a client resumes a broken stream."""

from collections import deque
from dataclasses import dataclass, field
from secrets import token_hex

import anyio
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCResponse

from coatcheck.proxy.front.long_responses import response_was_sent

MAX_BYTES = 2 << 20
"""Maximum bytes of messages that a session keeps."""

MAX_EVENTS = 1_000
RETRY_MILLISECONDS = 1_000
"""Milliseconds that a client should wait before it reconnects."""


@dataclass(slots=True)
class _Event:
    """A message of a stream; ``None`` marks the start of the stream, or a message that was dropped."""

    stream: str
    number: int
    message: JSONRPCMessage | None
    size: int


@dataclass(slots=True, eq=False)
class _Follower:
    """A client that has resumed a stream and receives its further events."""

    send: EventCallback  # sends an event to it
    sent: int  # number of the last event that it received
    turn: anyio.Lock = field(default_factory=anyio.Lock)  # lock that keeps the events in order
    ended: anyio.Event = field(default_factory=anyio.Event)  # set when no further events follow


class SessionEvents(EventStore):
    """The recent events of one session; event ids of other sessions are unknown here.

    A dropped response is replaced by an error, so that a resuming client does not wait forever.

    Further events of a resumed stream are sent from here as well. The SDK would send them from its own stream, which it
    opens only some iterations of the event loop after it has replayed the missed events: events in between, possibly
    the response, would be lost.
    """

    def __init__(self) -> None:
        self._followers: dict[str, _Follower] = {}
        self._tag = token_hex(4)
        self._count = 0
        self._bytes = 0
        self._events: deque[_Event] = deque()
        self._sizes: dict[int, int] = {}

    def expect(self, message: JSONRPCMessage, size: int) -> None:
        """Set the size of a message that will be stored, so that it is not computed again."""
        self._sizes[id(message)] = size

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Store an event and return its id; see ``EventStore``."""
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
        """Send the events of a stream since an event, and its further events; see ``EventStore``.

        Returns:
            ``None``, once the response has been sent or the stream has ended; immediately for an unknown event.
        """
        last = next((event for event in self._events if self._id(event.number) == last_event_id), None)
        if last is None or _is_answer(last.message):
            return None
        self.end(last.stream)  # A client that resumes again has abandoned its previous stream.
        follower = self._followers[last.stream] = _Follower(send_callback, last.number)
        try:
            await self._catch_up(follower, last.stream)
            await follower.ended.wait()
        finally:
            if self._followers.get(last.stream) is follower:
                del self._followers[last.stream]
        return None

    def end(self, stream_id: str) -> None:
        """Stop sending to a client that has resumed a stream."""
        if (follower := self._followers.pop(stream_id, None)) is not None:
            follower.ended.set()

    def close(self) -> None:
        """End all resumed streams."""
        for stream_id in list(self._followers):
            self.end(stream_id)

    async def _catch_up(self, follower: _Follower, stream_id: str) -> None:
        """Send the events that a client has not received; the response is the last one."""
        async with follower.turn:
            for event in [each for each in self._events if each.stream == stream_id and each.number > follower.sent]:
                if follower.ended.is_set():
                    return
                follower.sent = event.number
                if event.message is None:
                    continue
                try:
                    await follower.send(EventMessage(event.message, self._id(event.number)))
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):  # the client has disconnected again
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
            event.message, event.size = _dropped_response(event.message), 0


def _dropped_response(message: JSONRPCMessage | None) -> JSONRPCMessage | None:
    if isinstance(message, (JSONRPCResponse, JSONRPCError)):
        return response_was_sent(message.id)
    return None


def _is_answer(message: JSONRPCMessage | None) -> bool:
    return isinstance(message, (JSONRPCResponse, JSONRPCError))
