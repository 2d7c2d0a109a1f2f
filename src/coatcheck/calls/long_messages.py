"""Bounds the memory of long messages, of all conversations of an event loop together.

A message of S bytes takes up to seven times S while it is parsed, stored and encoded, and S while it waits for that.
"""

import asyncio
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from coatcheck.errors import UpstreamError

LONG_MESSAGE = 1 << 20
"""Bytes above which a message counts; shorter ones never wait."""

MAX_PROCESSED_BYTES = 64 << 20
"""Bytes of messages that are parsed, stored and encoded at a time; a longer message is processed alone."""

MAX_HELD_BYTES = 512 << 20
"""Bytes of messages that are read, wait or are sent, above which reading of further ones pauses."""

TURN_TIMEOUT = 60.0
"""Seconds that a message waits to be processed while no other one is completed."""

LEADER_SECONDS = 10.0
"""Seconds without a byte after which another message is read above the limit, even if no client reads its responses."""


class LongMessages:
    """The long messages of one event loop.

    Args:
        most_processed: See ``MAX_PROCESSED_BYTES``.
        most_held: See ``MAX_HELD_BYTES``.

    Attributes:
        processed: Bytes of messages that have a turn.
        waiting: Bytes of messages that wait for a turn, or for what they need before it.
        unsent: Bytes of responses that their clients have not read.
        held: Bytes of all messages that are read, wait, have a turn or are sent.
    """

    _of_loops: ClassVar["weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LongMessages]"] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, most_processed: int = MAX_PROCESSED_BYTES, most_held: int = MAX_HELD_BYTES) -> None:
        self._most_processed, self._most_held = most_processed, most_held
        self._queues: OrderedDict[Hashable, deque[_Waiting]] = OrderedDict()
        self._paused: deque[Reading] = deque()
        self._leader: Reading | None = None
        self._ended_turns = 0
        self._clients_read_at = 0.0
        self._check: asyncio.TimerHandle | None = None
        self._requests: LongMessages | None = None
        self.processed = self.waiting = self.unsent = self.held = 0

    @classmethod
    def of_loop(cls) -> "LongMessages":
        """Return those of the running event loop."""
        loop = asyncio.get_running_loop()
        return cls._of_loops.get(loop) or cls._of_loops.setdefault(loop, cls())

    @property
    def requests(self) -> "LongMessages":
        """Those of clients. They have turns of their own: they may wait for a server, which responses never do."""
        if self._requests is None:
            self._requests = LongMessages(self._most_processed, self._most_held)
        return self._requests

    def count(self, change: int) -> None:
        """Change the bytes that are held."""
        self.held += change
        if change < 0:
            self._resume()

    # Processing

    async def turn(self, size: int, caller: Hashable) -> "Turn":
        """Wait until a message may be processed. Callers take turns, so that one with many messages delays no other.

        Args:
            size: Its bytes.
            caller: Its receiver.

        Raises:
            UpstreamError: No other message was completed for too long.
        """
        waiting = _Waiting(size, asyncio.get_running_loop().create_future())
        self._queues.setdefault(caller, deque()).append(waiting)
        self.waiting += size
        self._admit()
        try:
            seen = -1
            while not waiting.admitted.done() and seen != self._ended_turns:
                seen = self._ended_turns
                await asyncio.wait({waiting.admitted}, timeout=TURN_TIMEOUT)
            if waiting.admitted.done():
                return waiting.admitted.result()
        except asyncio.CancelledError:
            if waiting.admitted.done():
                waiting.admitted.result().end()  # The turn came at the same moment.
            self._withdraw(caller, waiting)
            raise
        self._withdraw(caller, waiting)
        raise UpstreamError(
            f"Too many large messages are being processed, and this one was dropped: none of them was completed within "
            f"{TURN_TIMEOUT:g} s. Try again later."
        )

    @contextmanager
    def waiting_for_turn(self, size: int) -> Iterator[None]:
        """Count a message that waits for something else before its turn: others are read only within the limit."""
        self.waiting += size
        try:
            yield
        finally:
            self.waiting -= size

    def end_turn(self, size: int) -> None:
        """Let other messages be processed."""
        self.processed -= size
        self._ended_turns += 1
        self._admit()
        self._resume()

    def _admit(self) -> None:
        while self._queues:
            caller, queue = next(iter(self._queues.items()))
            size = queue[0].size
            if self.processed and self.processed + size > self._most_processed:
                return
            waiting = queue[0]
            self._drop(caller, waiting)
            if caller in self._queues:
                self._queues.move_to_end(caller)
            self.processed += size
            waiting.admitted.set_result(Turn(self, size))

    def _withdraw(self, caller: Hashable, waiting: "_Waiting") -> None:
        self._drop(caller, waiting)
        self._admit()
        self._resume()

    def _drop(self, caller: Hashable, waiting: "_Waiting") -> None:
        queue = self._queues.get(caller)
        if queue is None or waiting not in queue:
            return
        queue.remove(waiting)
        self.waiting -= waiting.size
        if not queue:
            del self._queues[caller]

    # Sending

    def may_send(self, size: int) -> bool:
        """Whether a response may wait for its client; not if many responses wait for clients that do not read.

        If clients read, there are no more than the limit and the message that was read last.
        """
        return not self.unsent or self.unsent + size <= self._most_held * 3 // 2

    def note_client_reads(self) -> None:
        """Note that a client has read a part of a response: what is read next may wait for the rest."""
        self._clients_read_at = time.monotonic()

    def count_unsent(self, change: int) -> None:
        """Change the bytes of responses that their clients have not read."""
        if change < 0 or not self.unsent:  # Further responses give clients that do not read no more time.
            self.note_client_reads()
        self.unsent += change
        self.count(change)

    # Reading

    def may_grow(self, reading: "Reading") -> bool:
        """Whether a message may be read further; if not, its reader is resumed later, in order.

        Above the limit messages wait for those that are processed. If there are none, one message at a time is read,
        so that every message is completed.
        """
        if self.held <= self._most_held:
            return True
        if self._leader is None and not self._is_processing:
            self._lead(reading)
        if self._leader is reading:
            reading.grew = True
            return True
        if reading not in self._paused:
            self._paused.append(reading)
        self._check_later()
        return False

    def completed(self, reading: "Reading") -> None:
        """Let others wait for a message that was read completely and is processed until it is ``finished``."""
        self.processed += reading.size
        self._leave(reading)

    def finished(self, reading: "Reading") -> None:
        """Count a message that was read completely, or is read no further."""
        self._leave(reading)
        self.count(-reading.size)

    def _leave(self, reading: "Reading") -> None:
        if self._leader is reading:
            self._leader = None
        if reading in self._paused:
            self._paused.remove(reading)

    def _lead(self, reading: "Reading") -> None:
        self._leader, reading.grew = reading, False
        asyncio.get_running_loop().call_later(LEADER_SECONDS, self._replace_idle, reading)

    def _replace_idle(self, reading: "Reading") -> None:
        if self._leader is not reading:
            return
        if reading.grew:
            self._lead(reading)
        else:
            self._leader = None
            self._resume()

    def _resume(self) -> None:
        while self._paused:
            if self.held > self._most_held:
                if self._leader is not None or self._is_processing:
                    return
                self._lead(self._paused[0])
            self._paused.popleft().resume()

    def _check_later(self) -> None:
        """Look again whether clients read: nothing happens when one stops."""
        if self.unsent and self._check is None:
            self._check = asyncio.get_running_loop().call_later(LEADER_SECONDS, self._check_clients)

    def _check_clients(self) -> None:
        self._check = None
        self._resume()
        if self._paused:
            self._check_later()

    @property
    def _is_processing(self) -> bool:
        if self.processed or self.waiting:
            return True
        return bool(self.unsent) and time.monotonic() - self._clients_read_at < LEADER_SECONDS


class Unsent:
    """A long response that its client has not read; its bytes are held as long as this object exists."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        messages = LongMessages.of_loop()
        messages.count_unsent(len(line))
        weakref.finalize(self, messages.count_unsent, -len(line)).atexit = False


class Reading:
    """A long message that is being read.

    Args:
        messages: Those of the event loop.
        resume: Called when reading may continue; ``None`` for a reader that does not pause.
    """

    def __init__(self, messages: LongMessages, resume: Callable[[], None] | None) -> None:
        self._messages = messages
        self._can_resume = resume
        self.size = 0
        self.grew = False
        self._is_complete = False

    def grow_to(self, size: int) -> bool:
        """Set the bytes that were read; return whether reading may continue, otherwise ``resume`` is called later."""
        change, self.size = size - self.size, size
        self._messages.count(change)
        return self._can_resume is None or self._messages.may_grow(self)

    def complete(self, size: int) -> None:
        """Set the bytes of a message that was read completely and counts as processed until it is finished."""
        change, self.size = size - self.size, size
        self._messages.completed(self)
        self._is_complete = True
        self._messages.count(change)

    def resume(self) -> None:
        """Continue reading."""
        if self._can_resume is not None:
            self._can_resume()

    def finish(self) -> None:
        """The message is complete, or is read no further."""
        if self._is_complete:
            self._is_complete = False
            self._messages.end_turn(self.size)
        if self.size:
            self._messages.finished(self)
            self.size = 0


class Turn:
    """Permission to process a message; hold it until the message's parsed and encoded forms are freed."""

    def __init__(self, messages: LongMessages, size: int) -> None:
        self._messages, self._size = messages, size

    def end(self) -> None:
        """Let other messages be processed; a second call does nothing."""
        size, self._size = self._size, 0
        if size:
            self._messages.end_turn(size)


class _Waiting:
    """A message that waits for a turn."""

    __slots__ = ("admitted", "size")

    def __init__(self, size: int, admitted: "asyncio.Future[Turn]") -> None:
        self.size, self.admitted = size, admitted
