"""One upstream for all requests that know no session: each under an id of its own, each answer to who asked."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coatcheck.errors import UpstreamError
from coatcheck.proxy.jsonrpc import (
    INTERNAL_ERROR,
    LOG_LEVEL,
    LONG_LINE,
    METHOD_NOT_FOUND,
    PROGRESS_TOKEN,
    PROTOCOL_VERSION,
    SESSION_VERSIONS,
    SUBSCRIPTION_ID,
    UNSUPPORTED_VERSION,
    Id,
    Message,
    error_response,
    is_request,
    is_response,
    meta_of,
    number_of,
    parse,
    request_key,
    to_line,
)
from coatcheck.proxy.line_streams import HIGH_WATER
from coatcheck.proxy.partial_parsing import changed, glance_at_id, line_of, with_other_id
from coatcheck.proxy.upstreams.base import Link

logger = logging.getLogger(__name__)

DISCOVER = "server/discover"
PROBE_TIMEOUT = 20.0
"""Seconds that an upstream has to say whether it speaks a revision without sessions."""

ROOM_SECONDS = 20.0
"""Seconds that a request waits for an upstream to take what others have sent to it."""


@dataclass(slots=True)
class _Open:
    """A request that is under way upstream."""

    lane: "Lane"
    message: Message


class Lane:
    """What one downstream request has of the shared upstream.

    Args:
        shared: The upstream.
        take: Gets the lines that concern the request.
    """

    def __init__(self, shared: "SharedLink", take: Callable[[bytes], None]) -> None:
        self._shared = shared
        self.take = take
        self.numbers: set[int] = set()

    def send(self, line: bytes, message: Any) -> None:
        """Send a line upstream; see ``Link``."""
        self._shared.send(self, parse(line) if message is None else message)

    def close(self) -> None:
        """Cancel what is not answered yet."""
        self._shared.forget(self)


class SharedLink:
    """A link that many requests share. It opens with the first, and anew when the upstream went away.

    Args:
        make_link: Gives a new link to the upstream.
    """

    def __init__(self, make_link: Callable[[], Link]) -> None:
        self._make_link = make_link
        self._link: Link | None = None
        self._open: dict[int, _Open] = {}
        self._count = 0
        self._probing: asyncio.Task[str | None] | None = None
        self._taken = asyncio.Event()
        self._taken.set()

    @property
    def link(self) -> Link | None:
        """What leads to the upstream at the moment, if it is open."""
        return self._link

    def lane(self, take: Callable[[bytes], None]) -> Lane:
        """Give a request its way upstream; see ``Lane``."""
        return Lane(self, take)

    async def refusal(self, request: Message) -> Message | None:
        """Say that the upstream speaks no such revision, if so; asked once for each upstream.

        Raises:
            UpstreamError: The upstream cannot be started.
        """
        if self._probing is None or (self._probing.done() and self._link is None):
            self._started()
            self._probing = asyncio.ensure_future(self._probe(request))
        fault = await asyncio.shield(self._probing)
        if fault is None:
            return None
        failure = error_response(request["id"], fault, UNSUPPORTED_VERSION)
        requested = meta_of(request).get(PROTOCOL_VERSION)
        failure["error"]["data"] = {"supported": list(SESSION_VERSIONS), "requested": requested}
        return failure

    async def _probe(self, request: Message) -> str | None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        lane = self.lane(lambda line: None if answer.done() else answer.set_result(line))
        meta = {key: value for key, value in meta_of(request).items() if key != PROGRESS_TOKEN}
        self.send(lane, {"jsonrpc": "2.0", "id": 0, "method": DISCOVER, "params": {"_meta": meta}})
        try:
            said = parse(await asyncio.wait_for(answer, PROBE_TIMEOUT)) or {}
        except TimeoutError:
            said = {}
        finally:
            lane.close()
        result, error = said.get("result"), said.get("error")
        if isinstance(result, dict) and set(result.get("supportedVersions") or ()) - set(SESSION_VERSIONS):
            return None
        link = self._link
        if link is None or (isinstance(error, dict) and error.get("code") == INTERNAL_ERROR):
            # It went away or cannot be reached, which says nothing of what it speaks.
            self._probing = None
            raise UpstreamError(str(error.get("message")) if isinstance(error, dict) else "The server went away.")
        if not said:
            self._probing = None  # It may only be slow to start.
            return f'The server "{link.name}" did not answer within {PROBE_TIMEOUT:g} s.'
        # It is of no use for requests without a session.
        await link.close()
        name = link.name
        self._link = _Closed(name)
        return (
            f'The server "{name}" speaks only revisions of MCP with sessions ({SESSION_VERSIONS[-1]} and before): '
            "connect with initialize."
        )

    def send(self, lane: Lane, message: Message) -> None:
        """Send a message upstream for a request."""
        key = request_key(message)
        try:
            link = self._started()
        except UpstreamError as error:
            if key is not None:
                lane.take(to_line(error_response(message["id"], str(error))))
            return
        if key is None:
            return  # No message but requests exists from client to server.
        self._count += 1
        self._open[self._count] = _Open(lane, message)
        lane.numbers.add(self._count)
        meta = meta_of(message)
        if PROGRESS_TOKEN in meta:
            message = changed(message, params={**message["params"], "_meta": {**meta, PROGRESS_TOKEN: self._count}})
        message = changed(message, id=self._count)
        link.send(line_of(message), message)

    def forget(self, lane: Lane) -> None:
        """Cancel what a lane still has under way."""
        for number in lane.numbers:
            if self._open.pop(number, None) is not None and self._link is not None:
                cancelled = {"method": "notifications/cancelled", "params": {"requestId": number}}
                self._link.send(to_line({"jsonrpc": "2.0", **cancelled}))
        lane.numbers.clear()

    async def has_room(self) -> None:
        """Wait until the upstream has taken most of what was sent: what waits must not grow without end.

        Raises:
            UpstreamError: It takes nothing more.
        """
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while not self._taken.is_set():  # Whoever waited before may have filled it again.
                    await self._taken.wait()
        except TimeoutError:
            raise UpstreamError(
                f"The server did not take what was sent to it before within {ROOM_SECONDS:g} s; try again later."
            ) from None

    def _pressed(self) -> None:
        # One long message counts here: who comes behind it would wait as long as it does, and is told so.
        if self._link is None or self._link.waiting_bytes < HIGH_WATER:
            self._taken.set()
        else:
            self._taken.clear()

    async def close(self) -> None:
        """Close the upstream."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _started(self) -> Link:
        if self._link is None:
            link = self._make_link()
            link.start(self._take, lambda text: self._ended(link, text), self._pressed)
            self._link = link
        return self._link

    def _ended(self, link: Link, text: str) -> None:
        if self._link is not link:
            return
        self._link = None
        self._pressed()
        logger.warning("%s", text)
        under_way, self._open = self._open, {}
        for each in under_way.values():
            each.lane.take(to_line(error_response(each.message["id"], text)))

    def _take(self, line: bytes, related: Id | None) -> None:
        seen = glance_at_id(line) if len(line) > LONG_LINE else None
        if seen is not None:
            self._answer_to(number_of(seen[1]), line)
            return
        message = parse(line)
        if not isinstance(message, dict):
            return
        if is_response(message):
            self._answer_to(number_of(message.get("id")), line, message)
        elif is_request(message):
            if self._link is not None:
                self._link.send(to_line(self._reply(message)))
        else:
            self._notify(message, related)

    def _answer_to(self, number: int, line: bytes, message: Message | None = None) -> None:
        """Hand on an answer under the id that its request had; a long one that shows its own is not parsed for that."""
        answered = self._open.pop(number, None)
        if answered is None:
            return
        answered.lane.numbers.discard(number)
        request_id = answered.message["id"]
        changed = with_other_id(line, request_id) if message is None else None
        if changed is None:
            parsed = parse(line) if message is None else message
            changed = to_line({**parsed, "id": request_id} if isinstance(parsed, dict) else _no_answer(request_id))
        answered.lane.take(changed)

    def _reply(self, question: Message) -> Message:
        """Answer what the upstream wants of a client."""
        text = "There are no requests from server to client in this revision."
        return error_response(question["id"], text, METHOD_NOT_FOUND)

    def _notify(self, message: Message, related: Id | None) -> None:
        """Bring a notification to the request that it belongs to; whose it may be is not guessed."""
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = meta_of(message)
        token, subscription = params.get(PROGRESS_TOKEN), meta.get(SUBSCRIPTION_ID)
        found = self._open.get(number_of(token) or number_of(subscription) or (number_of(related[1]) if related else 0))
        if found is None and message.get("method") == "notifications/message":
            wanting = [each for each in self._open.values() if LOG_LEVEL in meta_of(each.message)]
            found = wanting[0] if len(wanting) == 1 else None
        if found is None:
            logger.debug("A notification %.100r belongs to no request and is dropped", message.get("method"))
            return
        if token is not None:
            params = {**params, PROGRESS_TOKEN: meta_of(found.message).get(PROGRESS_TOKEN)}
        if subscription is not None:
            params = {**params, "_meta": {**meta, SUBSCRIPTION_ID: found.message["id"]}}
        found.lane.take(to_line({**message, "params": params} if params else message))


def _no_answer(request_id: Any) -> Message:
    return error_response(request_id, "The server's answer is no JSON.")


class _Closed:
    """Stands for an upstream that is not used in this era."""

    def __init__(self, name: str) -> None:
        self.name = name

    sends_apart = joins_servers = unopened = False
    waiting_bytes = backlog_bytes = 0

    def start(self, on_message: Any, on_end: Any, on_pressure: Any = None) -> None:
        """Do nothing."""

    def hold(self, *, held: bool) -> None:
        """Do nothing."""

    def send(self, line: bytes, message: Any = None) -> None:
        """Do nothing."""

    async def finish(self, seconds: float) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
